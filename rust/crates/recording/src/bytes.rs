//! Little-endian fields.

use std::time::Duration;

/// Appends fields to a record's content.
pub(crate) struct Fields<'a>(pub &'a mut Vec<u8>);

impl Fields<'_> {
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_le_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Nanoseconds; longer than 584 years is that.
    pub fn time(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A count of at most 65535; of more, as many are to be written as this returns.
    pub fn count(&mut self, count: usize) -> usize {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        self.u16(count);
        usize::from(count)
    }

    pub fn long_text(&mut self, text: &str) {
        // A text of 4 GiB would exceed the record long before.
        self.u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.raw(text.as_bytes());
    }

    /// At most 65535 bytes; the rest of a longer text is left out, at a character's border.
    pub fn text(&mut self, text: &str) {
        let mut length = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.count(length);
        self.raw(text.as_bytes().get(..length).unwrap_or_default());
    }

    pub fn texts(&mut self, texts: &[String]) {
        let count = self.count(texts.len());
        for text in texts.iter().take(count) {
            self.text(text);
        }
    }
}

/// Takes fields from a record's content. Every error is one line.
pub(crate) struct Content<'a>(pub &'a [u8]);

type Result<T> = std::result::Result<T, &'static str>;

impl<'a> Content<'a> {
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8]> {
        let (field, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("it is shorter than its fields")?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let field = self.raw(N)?;
        <[u8; N]>::try_from(field).map_err(|_| "it is shorter than its fields")
    }

    pub fn hash(&mut self) -> Result<[u8; 32]> {
        self.array()
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn f32(&mut self) -> Result<f32> {
        self.u32().map(f32::from_bits)
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    pub fn time(&mut self) -> Result<Duration> {
        self.u64().map(Duration::from_nanos)
    }

    pub fn long_text(&mut self) -> Result<String> {
        let length = usize::try_from(self.u32()?).map_err(|_| "a text is too long")?;
        self.utf8(length)
    }

    pub fn text(&mut self) -> Result<String> {
        let length = usize::from(self.u16()?);
        self.utf8(length)
    }

    fn utf8(&mut self, length: usize) -> Result<String> {
        let text = std::str::from_utf8(self.raw(length)?).map_err(|_| "a text is not UTF-8")?;
        Ok(text.to_owned())
    }

    pub fn texts(&mut self) -> Result<Vec<String>> {
        // Grows as texts come: a count alone costs nothing.
        (0..self.u16()?).map(|_| self.text()).collect()
    }

    /// Nothing may follow the last field.
    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err("it is longer than its fields")
        }
    }
}
