//! Writes models for the tests, sound or not.

use super::IDENTIFIER;

/// A flatbuffer to be written.
#[derive(Clone)]
pub enum Value {
    I8(i8),
    I32(i32),
    U64(u64),
    Text(&'static str),
    /// Elements as bytes, and how many they are.
    Vector(Vec<u8>, usize),
    Table(Vec<(usize, Value)>),
    Tables(Vec<Value>),
}

pub fn numbers(numbers: &[i32]) -> Value {
    let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    Value::Vector(bytes, numbers.len())
}

pub fn bytes(bytes: &[u8]) -> Value {
    Value::Vector(bytes.to_vec(), bytes.len())
}

/// Writes `value` at the end and gives its position.
fn write(out: &mut Vec<u8>, value: &Value) -> usize {
    let pad = |out: &mut Vec<u8>| out.resize(out.len().next_multiple_of(8), 0);
    pad(out);
    match value {
        Value::Vector(bytes, count) => {
            let start = out.len();
            out.extend(u32::try_from(*count).expect("small").to_le_bytes());
            out.extend(bytes);
            start
        }
        Value::Text(text) => {
            let start = write(out, &bytes(text.as_bytes()));
            out.push(0);
            start
        }
        Value::Tables(tables) => {
            let start = out.len();
            out.extend(u32::try_from(tables.len()).expect("small").to_le_bytes());
            out.resize(out.len() + 4 * tables.len(), 0);
            for (index, table) in tables.iter().enumerate() {
                let target = write(out, table);
                link(out, start + 4 + 4 * index, target);
            }
            start
        }
        Value::Table(fields) => {
            let slots = fields.iter().map(|(field, _)| field + 1).max().unwrap_or(0);
            let vtable = out.len();
            let size = 8 + 8 * fields.len();
            let mut entries = vec![0u16; slots];
            for (position, (field, _)) in fields.iter().enumerate() {
                entries[*field] = u16::try_from(8 + 8 * position).expect("small");
            }
            for entry in [4 + 2 * slots, size] {
                out.extend(u16::try_from(entry).expect("small").to_le_bytes());
            }
            out.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
            pad(out);
            let start = out.len();
            out.extend(i32::try_from(start - vtable).expect("small").to_le_bytes());
            out.resize(start + size, 0);
            for (position, (_, value)) in fields.iter().enumerate() {
                let at = start + 8 + 8 * position;
                match value {
                    Value::I8(number) => out[at] = number.cast_unsigned(),
                    Value::I32(number) => out[at..at + 4].copy_from_slice(&number.to_le_bytes()),
                    Value::U64(number) => out[at..at + 8].copy_from_slice(&number.to_le_bytes()),
                    other => {
                        let target = write(out, other);
                        link(out, at, target);
                    }
                }
            }
            start
        }
        Value::I8(_) | Value::I32(_) | Value::U64(_) => {
            unreachable!("numbers stand in their tables")
        }
    }
}

fn link(out: &mut [u8], at: usize, target: usize) {
    let distance = u32::try_from(target - at).expect("forward and small");
    out[at..at + 4].copy_from_slice(&distance.to_le_bytes());
}

pub fn file(model: &Value) -> Vec<u8> {
    let mut out = vec![0; 8];
    out[4..8].copy_from_slice(IDENTIFIER);
    let root = write(&mut out, model);
    link(&mut out, 0, root);
    out
}
