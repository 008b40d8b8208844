//! USB/IP, the device's side of a connection to the kernel's virtual host controller (kernel,
//! `Documentation/usb/usbip_protocol.rst`). All numbers are big-endian.

use anyhow::{Context, bail};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// `enum usb_device_speed` of the kernel: 480 Mbit/s.
const HIGH_SPEED: u32 = 3;
/// `enum usbip_device_status` of the kernel: nobody has the port.
const FREE: &str = "004";
const HEADER: usize = 48;
/// Longest data that a host may send with one request; nothing here needs more than a few bytes.
const LONGEST: u32 = 1 << 16;

/// The transfer has been taken back (`-ECONNRESET`).
pub const TAKEN_BACK: i32 = -libc::ECONNRESET;
/// The device does not do this (`-EPIPE`).
pub const STALL: i32 = -libc::EPIPE;

/// What the host asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Submit(Transfer),
    /// Take the transfer of number `of` back.
    Unlink {
        number: u32,
        of: u32,
    },
}

/// One transfer.
#[derive(Debug, PartialEq, Eq)]
pub struct Transfer {
    pub number: u32,
    pub endpoint: u32,
    /// From the device to the host.
    pub inward: bool,
    /// Bytes that there is room for, or that there are.
    pub length: u32,
    /// The request of a control transfer.
    pub setup: [u8; 8],
    /// What comes from the host.
    pub data: Vec<u8>,
}

/// Plugs a high-speed device into a port (0 ..= 7); the device's end of the cable.
pub fn attach(port: u32) -> anyhow::Result<UnixStream> {
    let (device, host) = UnixStream::pair()?;
    let cable = host.as_raw_fd();
    let path = Path::new(CONTROLLER).join("attach");
    fs::write(&path, format!("{port} {cable} {} {HIGH_SPEED}", port + 1))
        .with_context(|| path.display().to_string())?;
    Ok(device)
}

/// Pulls whatever is in the port.
pub fn detach(port: u32) -> anyhow::Result<()> {
    let path = Path::new(CONTROLLER).join("detach");
    fs::write(&path, port.to_string()).with_context(|| path.display().to_string())
}

/// Whether nothing is in the port, and nothing is on its way out either.
pub fn is_free(port: u32) -> anyhow::Result<bool> {
    let path = Path::new(CONTROLLER).join("status");
    let status = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let wanted = format!("{port:04}");
    let mut lines = status
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let state = lines.find_map(|line| match line[..] {
        [_, number, state, ..] if number == wanted => Some(state == FREE),
        _ => None,
    });
    state.with_context(|| format!("the controller has no port {port}"))
}

/// The next command.
pub fn receive(from: &mut impl Read) -> anyhow::Result<Command> {
    const SUBMIT: u32 = 1;
    const UNLINK: u32 = 2;
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let word = |place: usize| {
        let bytes = header[place..place + 4].try_into();
        bytes.map_or(0, u32::from_be_bytes)
    };
    let number = word(4);
    match word(0) {
        SUBMIT => {
            let inward = word(12) == 1;
            let length = word(24);
            let mut data = Vec::new();
            if !inward {
                if length > LONGEST {
                    bail!("{length} bytes at once from the host");
                }
                data.resize(usize::try_from(length)?, 0);
                from.read_exact(&mut data)?;
            }
            let setup = header[40..].try_into()?;
            Ok(Command::Submit(Transfer {
                number,
                endpoint: word(16),
                inward,
                length,
                setup,
                data,
            }))
        }
        UNLINK => Ok(Command::Unlink {
            number,
            of: word(20),
        }),
        other => bail!("no such command: {other}"),
    }
}

/// A transfer is done, with this `status`: `length` bytes have been moved, of which `data` go to the host.
pub fn done(
    to: &mut impl Write,
    number: u32,
    status: i32,
    length: u32,
    data: &[u8],
) -> io::Result<()> {
    const SUBMITTED: u32 = 3;
    let mut reply = header(SUBMITTED, number, status);
    reply[24..28].copy_from_slice(&length.to_be_bytes());
    to.write_all(&reply)?;
    to.write_all(data)
}

/// Answers an unlink: `status` 0 says that the transfer was done already.
pub fn unlinked(to: &mut impl Write, number: u32, status: i32) -> io::Result<()> {
    const UNLINKED: u32 = 4;
    to.write_all(&header(UNLINKED, number, status))
}

fn header(command: u32, number: u32, status: i32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&command.to_be_bytes());
    header[4..8].copy_from_slice(&number.to_be_bytes());
    header[20..24].copy_from_slice(&status.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_answered() {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 2]); // flags, length
        bytes.extend([0; 12]); // isochronous only
        bytes.extend([0x21, 1, 0, 2, 0, 2, 2, 0]);
        bytes.extend([5, 6]);
        bytes.extend([0, 0, 0, 2, 0, 0, 0, 8]);
        bytes.extend([0; 12]);
        bytes.extend([0, 0, 0, 7]);
        bytes.extend([0; 24]);
        let mut from = &bytes[..];
        assert_eq!(
            receive(&mut from).unwrap(),
            Command::Submit(Transfer {
                number: 7,
                endpoint: 0,
                inward: false,
                length: 2,
                setup: [0x21, 1, 0, 2, 0, 2, 2, 0],
                data: vec![5, 6],
            })
        );
        assert_eq!(
            receive(&mut from).unwrap(),
            Command::Unlink { number: 8, of: 7 }
        );
        assert!(receive(&mut from).is_err(), "the end");
        assert!(receive(&mut &[9; HEADER][..]).is_err(), "no command");

        let mut answer = Vec::new();
        done(&mut answer, 7, STALL, 1, &[4]).unwrap();
        assert_eq!(answer.len(), HEADER + 1);
        assert_eq!(answer[..8], [0, 0, 0, 3, 0, 0, 0, 7]);
        assert_eq!(answer[20..28], [0xff, 0xff, 0xff, 0xe0, 0, 0, 0, 1]);
        answer.clear();
        unlinked(&mut answer, 8, TAKEN_BACK).unwrap();
        assert_eq!(answer[..8], [0, 0, 0, 4, 0, 0, 0, 8]);
        assert_eq!(answer[20..24], [0xff, 0xff, 0xff, 0x98]);
    }
}
