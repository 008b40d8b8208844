//! `FlatBuffers`' wire format, every access checked against the buffer.
//!
//! Format: <https://flatbuffers.dev/internals/>. Little endian; a table starts with the signed
//! distance back to its vtable (`u16` size of the vtable, `u16` size of the table, then one
//! `u16` offset for each field, 0 = absent); vectors and strings start with a `u32` count.

/// What is wrong with a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

type Checked<T> = Result<T, Malformed>;

/// `N` bytes at `at`.
fn bytes_at<const N: usize>(buffer: &[u8], at: usize) -> Checked<[u8; N]> {
    let end = at.checked_add(N).ok_or(Malformed("an offset overflows"))?;
    buffer
        .get(at..end)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Malformed("an offset points outside of the file"))
}

fn u32_at(buffer: &[u8], at: usize) -> Checked<u32> {
    bytes_at(buffer, at).map(u32::from_le_bytes)
}

/// The position that the offset stored at `at` points to.
fn follow(buffer: &[u8], at: usize) -> Checked<usize> {
    let offset = u32_at(buffer, at)? as usize;
    at.checked_add(offset)
        .ok_or(Malformed("an offset overflows"))
}

/// A table whose vtable and extent lie inside the buffer.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    buffer: &'a [u8],
    start: usize,
    size: usize,
    vtable: &'a [u8],
}

impl<'a> Table<'a> {
    /// The root table of `buffer`.
    pub fn root(buffer: &'a [u8]) -> Checked<Self> {
        Self::at(buffer, follow(buffer, 0)?)
    }

    fn at(buffer: &'a [u8], start: usize) -> Checked<Self> {
        const OUTSIDE: Malformed = Malformed("a table lies outside of the file");
        let back = i64::from(i32::from_le_bytes(bytes_at(buffer, start)?));
        let vtable_start = i64::try_from(start)
            .ok()
            .and_then(|start| usize::try_from(start - back).ok())
            .ok_or(OUTSIDE)?;
        let vtable_size = usize::from(u16::from_le_bytes(bytes_at(buffer, vtable_start)?));
        if vtable_size < 4 || vtable_size % 2 != 0 {
            return Err(Malformed("a table has an impossible vtable"));
        }
        let vtable = vtable_start
            .checked_add(vtable_size)
            .and_then(|end| buffer.get(vtable_start..end))
            .ok_or(OUTSIDE)?;
        let size = usize::from(u16::from_le_bytes(bytes_at(vtable, 2)?));
        if size < 4 || start.checked_add(size).is_none_or(|end| end > buffer.len()) {
            return Err(OUTSIDE);
        }
        let table = Self {
            buffer,
            start,
            size,
            vtable,
        };
        for field in 0..(vtable_size - 4) / 2 {
            table.field(field)?;
        }
        Ok(table)
    }

    /// Position of a field, `None` if it is absent.
    fn field(&self, field: usize) -> Checked<Option<usize>> {
        let entry = 4 + 2 * field;
        if entry + 2 > self.vtable.len() {
            return Ok(None);
        }
        match usize::from(u16::from_le_bytes(bytes_at(self.vtable, entry)?)) {
            0 => Ok(None),
            offset if offset < 4 || offset >= self.size => {
                Err(Malformed("a field lies outside of its table"))
            }
            offset => Ok(Some(self.start + offset)),
        }
    }

    fn scalar<const N: usize>(&self, field: usize) -> Checked<[u8; N]> {
        self.field(field)?
            .map_or(Ok([0; N]), |at| bytes_at(self.buffer, at))
    }

    /// A `u32` field, 0 if absent.
    pub fn u32(&self, field: usize) -> Checked<u32> {
        self.scalar(field).map(u32::from_le_bytes)
    }

    /// A `u64` field, 0 if absent.
    pub fn u64(&self, field: usize) -> Checked<u64> {
        self.scalar(field).map(u64::from_le_bytes)
    }

    /// An `i8` field, 0 if absent.
    pub fn i8(&self, field: usize) -> Checked<i8> {
        self.scalar(field).map(i8::from_le_bytes)
    }

    /// An `i32` field, 0 if absent.
    pub fn i32(&self, field: usize) -> Checked<i32> {
        self.scalar(field).map(i32::from_le_bytes)
    }

    /// An `i32` field, `absent` if absent.
    pub fn i32_or(&self, field: usize, absent: i32) -> Checked<i32> {
        match self.field(field)? {
            Some(at) => bytes_at(self.buffer, at).map(i32::from_le_bytes),
            None => Ok(absent),
        }
    }

    /// A table field.
    pub fn table(&self, field: usize) -> Checked<Option<Table<'a>>> {
        let Some(at) = self.field(field)? else {
            return Ok(None);
        };
        Self::at(self.buffer, follow(self.buffer, at)?).map(Some)
    }

    /// A vector of scalars of `N` bytes each; empty if absent.
    pub fn scalars<const N: usize>(
        &self,
        field: usize,
    ) -> Checked<impl ExactSizeIterator<Item = [u8; N]> + Clone + use<'a, N>> {
        let (_, bytes) = self.vector(field, N)?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().copied())
    }

    /// A vector of `i32`; empty if absent.
    pub fn i32s(
        &self,
        field: usize,
    ) -> Checked<impl ExactSizeIterator<Item = i32> + Clone + use<'a>> {
        Ok(self.scalars(field)?.map(i32::from_le_bytes))
    }

    /// A vector of tables; empty if absent.
    pub fn tables(
        &self,
        field: usize,
    ) -> Checked<impl ExactSizeIterator<Item = Checked<Table<'a>>> + Clone + use<'a>> {
        let (start, bytes) = self.vector(field, 4)?;
        let buffer = self.buffer;
        Ok((0..bytes.len() / 4)
            .map(move |index| Self::at(buffer, follow(buffer, start + 4 * index)?)))
    }

    /// A string field; empty if absent.
    pub fn string(&self, field: usize) -> Checked<&'a str> {
        let (start, bytes) = self.vector(field, 1)?;
        // The format ends every string with a zero that the count leaves out; native code
        // relies on it.
        if start != 0 && bytes_at::<1>(self.buffer, start + bytes.len())? != [0] {
            return Err(Malformed("a string is not terminated"));
        }
        std::str::from_utf8(bytes).map_err(|_| Malformed("a string is not UTF-8"))
    }

    /// A string that identifies something and is printed: one line of text. Native code takes it
    /// up to the first zero, a log up to the first line end.
    pub fn name(&self, field: usize) -> Checked<&'a str> {
        let name = self.string(field)?;
        if name.contains(char::is_control) {
            return Err(Malformed("a name has control characters"));
        }
        Ok(name)
    }

    /// Start and bytes of a vector of elements of `element` bytes; (0, empty) if absent.
    pub fn vector(&self, field: usize, element: usize) -> Checked<(usize, &'a [u8])> {
        let Some(at) = self.field(field)? else {
            return Ok((0, &[]));
        };
        let start = follow(self.buffer, at)?;
        let count = u32_at(self.buffer, start)? as usize;
        let start = start + 4;
        count
            .checked_mul(element)
            .and_then(|bytes| start.checked_add(bytes))
            .and_then(|end| self.buffer.get(start..end))
            .map(|bytes| (start, bytes))
            .ok_or(Malformed("a vector reaches beyond the end of the file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root offset 12; vtable at 4 (size 8, table size 12, field 0 at 4, field 1 at 8);
    /// table at 12: distance 8, u32 field 77, vector field -> 24: two i32.
    const SAMPLE: [u8; 36] = [
        12, 0, 0, 0, 8, 0, 12, 0, 4, 0, 8, 0, 8, 0, 0, 0, 77, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 5,
        0, 0, 0, 255, 255, 255, 255,
    ];

    #[test]
    fn reads_scalars_and_vectors() {
        let table = Table::root(&SAMPLE).expect("well formed");
        assert_eq!(table.u32(0), Ok(77));
        assert_eq!(table.i32s(1).expect("inside").collect::<Vec<_>>(), [5, -1]);
        assert_eq!(table.u32(2), Ok(0), "absent");
        assert_eq!(table.i32s(9).expect("absent").len(), 0);
    }

    #[test]
    fn every_truncation_is_refused_without_panic() {
        for length in 0..SAMPLE.len() {
            let refused =
                Table::root(&SAMPLE[..length]).and_then(|table| table.i32s(1).map(Iterator::count));
            assert!(refused.is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn no_byte_value_anywhere_panics() {
        for at in 0..SAMPLE.len() {
            for value in 0..=255 {
                let mut bytes = SAMPLE;
                bytes[at] = value;
                if let Ok(table) = Table::root(&bytes) {
                    let _ = (table.u64(0), table.i8(1), table.i32(1));
                    let _ = table.name(1);
                    let _ = table.table(1).map(|inner| inner.is_some());
                    let _ = table.tables(1).map(|tables| tables.flatten().count());
                }
            }
        }
    }
}
