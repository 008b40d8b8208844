//! Where objects were last seen, found by their numbers in a time that does not depend on how many there are.

use super::crossing::Place;
use crate::state::{Load, Save, StateError};

/// Objects that are remembered; of more, the one not seen for longest is forgotten.
const OBJECTS: usize = 256;
/// Slots of the index, a power of 2: half of them stay empty, so that a search ends soon.
const SLOTS: usize = 2 * OBJECTS;
/// Units of a place from one border of the frame to the other.
const UNITS: u32 = 1 << 24;

/// The last places of some objects.
#[derive(Debug)]
pub(super) struct Places {
    objects: Box<[Object]>,
    /// How many of `objects` are in use.
    known: usize,
    /// Number of the latest result since the objects were forgotten.
    result: u64,
    /// Hash table with linear probing: 0, or 1 and the place in `objects`.
    slots: Box<[u16; SLOTS]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Object {
    number: u32,
    place: Place,
    /// Number of the result that it was last seen in.
    result: u64,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            objects: vec![Object::default(); OBJECTS].into(),
            known: 0,
            result: 0,
            slots: Box::new([0; SLOTS]),
        }
    }

    /// A new result of the model begins.
    pub(super) const fn begin(&mut self) {
        self.result = self.result.wrapping_add(1);
    }

    /// An object is seen here now; where it was last seen, if it was.
    pub(super) fn see(&mut self, number: u32, place: Place) -> Option<Place> {
        let present = Object {
            number,
            place,
            result: self.result,
        };
        if let Some(object) = self.find(number) {
            return Some(std::mem::replace(object, present).place);
        }
        if let Some(free) = self.objects.get_mut(self.known) {
            *free = present;
            self.known += 1;
            self.enter(self.known - 1);
        } else if let Some(oldest) = self.objects.iter_mut().min_by_key(|it| it.result) {
            *oldest = present;
            self.index();
        }
        None
    }

    fn find(&mut self, number: u32) -> Option<&mut Object> {
        let mut slot = hash(number);
        loop {
            let place = usize::from(self.slots[slot]).checked_sub(1)?;
            if self.objects[place].number == number {
                return Some(&mut self.objects[place]);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Puts the object at `place` into the index.
    fn enter(&mut self, place: usize) {
        let mut slot = hash(self.objects[place].number);
        while self.slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most OBJECTS")]
        let entry = place as u16 + 1;
        self.slots[slot] = entry;
    }

    fn index(&mut self) {
        self.slots.fill(0);
        for place in 0..self.known {
            self.enter(place);
        }
    }

    pub(super) fn forget(&mut self) {
        if self.known > 0 {
            self.slots.fill(0);
        }
        self.known = 0;
        self.result = 0;
    }

    /// Bytes of [`Places::save`], at most.
    pub(super) const ROOM: usize = 8 + 4 + OBJECTS * (4 + 2 * 4 + 8);

    pub(super) fn save(&self, to: &mut Save<'_>) {
        to.u64(self.result);
        let known = self.objects.iter().take(self.known);
        to.u32(u32::try_from(known.len()).unwrap_or(u32::MAX));
        for object in known {
            to.u32(object.number);
            for unit in object.place {
                // 0 ..= UNITS
                to.u32(u32::try_from(unit).unwrap_or(u32::MAX));
            }
            to.u64(object.result);
        }
    }

    pub(super) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.forget();
        let result = from.u64()?;
        let known = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
        let objects = self.objects.get_mut(..known);
        for object in objects.ok_or(StateError::Damaged("too many objects"))? {
            let number = from.u32()?;
            let units = [from.u32()?, from.u32()?];
            if units.iter().any(|unit| *unit > UNITS) {
                return Err(StateError::Damaged("a place beyond the frame"));
            }
            let result = from.u64()?;
            let place = units.map(i64::from);
            *object = Object {
                number,
                place,
                result,
            };
        }
        (self.result, self.known) = (result, known);
        self.index();
        Ok(())
    }
}

/// By the golden ratio (Knuth, The Art of Computer Programming 3, 6.4): numbers on end lie far apart.
const fn hash(number: u32) -> usize {
    (number.wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_finds_what_a_plain_list_finds() {
        let mut places = Places::new();
        // Number: last result, place.
        let mut list = BTreeMap::<u32, (u64, Place)>::new();
        let mut random = 1_u32;
        for result in 0..400_u64 {
            places.begin();
            for _ in 0..5 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Some far apart, some in one chain of slots.
                let number = (random >> 20) % 300 * if random & 1 << 8 == 0 { 1 } else { 512 };
                let place = [i64::from(random >> 8), i64::try_from(result).unwrap()];
                let found = places.see(number, place);
                assert_eq!(
                    found,
                    list.get(&number).map(|(_, place)| *place),
                    "{number}"
                );
                list.insert(number, (result, place));
                if list.len() > OBJECTS {
                    let oldest = list.values().map(|(result, _)| *result).min();
                    // Which of several that were not seen for longest, the list does not know.
                    list.retain(|number, (result, _)| {
                        let kept = places.find(*number).is_some();
                        assert!(kept || Some(*result) == oldest, "{number}");
                        kept
                    });
                    assert_eq!(list.len(), OBJECTS);
                }
            }
        }
        assert_eq!(places.known, OBJECTS);
    }
}
