//! The loopback interface.

use log::warn;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

nix::ioctl_readwrite_bad!(get_interface_flags, libc::SIOCGIFFLAGS, libc::ifreq);
nix::ioctl_readwrite_bad!(set_interface_flags, libc::SIOCSIFFLAGS, libc::ifreq);

/// Brings `lo` up. A kernel without networking is fine: nothing to bring up.
pub fn loopback_up() {
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else {
        return;
    };
    // SAFETY: ifreq is plain old data; all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    // SAFETY: both calls get a valid ifreq with a terminated name; the kernel fills in
    // ifru_flags in the first, so reading that member of the union is defined.
    let result = unsafe {
        get_interface_flags(socket.as_raw_fd(), &raw mut request).and_then(|_| {
            #[allow(clippy::cast_possible_truncation)] // IFF_UP is 1
            let up = libc::IFF_UP as libc::c_short;
            request.ifr_ifru.ifru_flags |= up;
            set_interface_flags(socket.as_raw_fd(), &raw mut request)
        })
    };
    if let Err(error) = result {
        warn!("loopback: {error}");
    }
}
