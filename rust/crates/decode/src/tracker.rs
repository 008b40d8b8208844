//! Which object of this frame is which of the last.
//!
//! After SORT (Bewley et al., "Simple Online and Realtime Tracking", 2016), with a filter of
//! fixed gains in place of Kalman's and greedy assignment in place of the Hungarian method: both
//! do nearly as well on boxes that overlap from frame to frame, in a time that is bounded and
//! short.

use crate::Detection;
use crate::candidates::Least;
use crate::memory::{Load, MemoryError, Save};
use crate::suppress::detection;
use edgeai_config::Track;
use std::cmp::Reverse;
use std::time::Duration;

/// Objects followed at once; further ones get no number.
const MAX_TRACKS: usize = 128;

/// Detections of one frame that are looked at, the first; further ones get no number. More than
/// a decoder reports.
const MAX_DETECTIONS: usize = 1024;

/// Pairs of object and detection that are looked at, those that overlap most.
const MAX_PAIRS: usize = 4096;

/// Gains of the alpha-beta filter: how much of the difference between where an object was
/// expected and where it is seen is taken for truth, for its place and for its velocity. The
/// second follows from the first as in Benedict & Bordner 1962: β = α² / (2 − α).
const ALPHA: f32 = 0.7;
const BETA: f32 = ALPHA * ALPHA / (2.0 - ALPHA);

/// Gives the objects in a camera's frames numbers that stay.
///
/// An object is expected where its velocity has taken it. Detections of its class that overlap
/// that place are candidates; of all pairs the one that overlaps most is taken first. An object
/// gets its number once it was seen in `confirm_frames` frames on end, and is forgotten when it
/// has not been seen for `lost_ms`; until its number it is forgotten at once.
pub struct Tracker {
    options: Track,
    tracks: Vec<Object>,
    pairs: Least<Pair>,
    /// Detections of this frame in an order of their own, not the caller's.
    order: Vec<u16>,
    /// Of each place in `order`: whether it belongs to a track.
    assigned: Vec<bool>,
    next: u32,
}

/// One object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    /// 0: not confirmed.
    id: u32,
    class: u16,
    /// Times it was seen.
    frames: u32,
    seen: Duration,
    /// Centre x, y; width, height; at `seen`.
    place: [f32; 4],
    /// Of the centre, in frames' sides a second.
    velocity: [f32; 2],
    /// Seen in the frame under way.
    updated: bool,
}

/// An object and a detection that overlap. Orders by overlap, most first, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    overlap: Reverse<u32>,
    track: u16,
    /// In `order`.
    place: u16,
}

impl Tracker {
    /// Without objects.
    #[must_use]
    pub fn new(options: &Track) -> Self {
        Self {
            options: options.clone(),
            tracks: Vec::with_capacity(MAX_TRACKS),
            pairs: Least::new(MAX_PAIRS),
            order: Vec::with_capacity(MAX_DETECTIONS),
            assigned: Vec::with_capacity(MAX_DETECTIONS),
            next: 1,
        }
    }

    /// Fills `track` of the detections of one frame; 0 for those that have no number yet. `now` is
    /// the frame's time; where it does not go on, objects are taken to stand still. The numbers do
    /// not depend on the order of the detections. Does not allocate.
    pub fn update(&mut self, now: Duration, detections: &mut [Detection]) {
        for detection in &mut *detections {
            detection.track = 0;
        }
        self.sort(detections);
        let lost = Duration::from_millis(self.options.lost_ms.into());
        self.tracks.retain(|object| {
            let remembered = object.id != 0 && now.saturating_sub(object.seen) <= lost;
            object.updated || remembered
        });
        for object in &mut self.tracks {
            object.updated = false;
        }
        self.pair(now, detections);
        self.assign(now, detections);
        self.begin(now, detections);
    }

    /// Forgets all objects; numbers go on.
    pub fn reset(&mut self) {
        self.tracks.clear();
    }

    /// Bytes of [`Self::save`], at most.
    pub(crate) const ROOM: usize = 4 + 4 + MAX_TRACKS * Object::ROOM;

    /// The next number, and the objects.
    pub(crate) fn save(&self, to: &mut Save<'_>) {
        to.put(self.next.to_le_bytes());
        to.count(self.tracks.len());
        for object in &self.tracks {
            object.save(to);
        }
    }

    /// The objects and the next number.
    pub(crate) fn load(from: &mut Load<'_>) -> Result<(Vec<Object>, u32), MemoryError> {
        let next = u32::from_le_bytes(from.take()?);
        if next == 0 {
            return Err(MemoryError::Damaged("a number that no object has"));
        }
        let count = from.count()?;
        if count > MAX_TRACKS {
            return Err(MemoryError::Damaged("too many objects"));
        }
        let objects = (0..count).map(|_| Object::load(from));
        Ok((objects.collect::<Result<_, _>>()?, next))
    }

    pub(crate) fn recall(&mut self, (objects, next): (Vec<Object>, u32)) {
        // Into the memory that was set aside.
        self.tracks.clear();
        self.tracks.extend(objects);
        self.next = next;
    }

    fn sort(&mut self, detections: &[Detection]) {
        self.order.clear();
        #[expect(clippy::cast_possible_truncation, reason = "MAX_DETECTIONS")]
        let indexes = 0..detections.len().min(MAX_DETECTIONS) as u16;
        self.order.extend(indexes);
        self.order.sort_unstable_by(|&a, &b| {
            detections[usize::from(a)].best_first(&detections[usize::from(b)])
        });
        self.assigned.clear();
        self.assigned.resize(self.order.len(), false);
    }

    fn pair(&mut self, now: Duration, detections: &[Detection]) {
        self.pairs.clear();
        for (track, object) in (0u16..).zip(&self.tracks) {
            let expected = object.expected(now);
            for (place, &index) in (0u16..).zip(&self.order) {
                let seen = &detections[usize::from(index)];
                let overlap = expected.intersection_over_union(seen);
                if seen.class == object.class && overlap > 0.0 && overlap >= self.options.iou {
                    self.pairs.push(Pair {
                        overlap: Reverse(overlap.to_bits()),
                        track,
                        place,
                    });
                }
            }
        }
    }

    fn assign(&mut self, now: Duration, detections: &mut [Detection]) {
        for pair in self.pairs.sorted() {
            let object = &mut self.tracks[usize::from(pair.track)];
            let assigned = &mut self.assigned[usize::from(pair.place)];
            if object.updated || *assigned {
                continue;
            }
            *assigned = true;
            let detection = &mut detections[usize::from(self.order[usize::from(pair.place)])];
            object.see(now, detection);
            if object.id == 0 && object.frames >= self.options.confirm_frames {
                object.id = number(&mut self.next);
            }
            detection.track = object.id;
        }
    }

    fn begin(&mut self, now: Duration, detections: &mut [Detection]) {
        for (&index, assigned) in self.order.iter().zip(&self.assigned) {
            if *assigned || self.tracks.len() == MAX_TRACKS {
                continue;
            }
            let detection = &mut detections[usize::from(index)];
            if self.options.confirm_frames <= 1 {
                detection.track = number(&mut self.next);
            }
            self.tracks.push(Object::new(now, detection));
        }
    }
}

/// The next number; after the last the first.
fn number(next: &mut u32) -> u32 {
    let number = *next;
    *next = next.checked_add(1).unwrap_or(1);
    number
}

impl Object {
    fn new(now: Duration, detection: &Detection) -> Self {
        Self {
            id: detection.track,
            class: detection.class,
            frames: 1,
            seen: now,
            place: place(detection),
            velocity: [0.0; 2],
            updated: true,
        }
    }

    /// Centre x, y; width, height.
    fn at(&self, now: Duration) -> [f32; 4] {
        let seconds = now.saturating_sub(self.seen).as_secs_f32();
        let [x, y, width, height] = self.place;
        let [across, down] = self.velocity;
        [x + across * seconds, y + down * seconds, width, height]
    }

    fn expected(&self, now: Duration) -> Detection {
        let [x, y, width, height] = self.at(now);
        let (half_width, half_height) = (width / 2.0, height / 2.0);
        let edges = [
            x - half_width,
            y - half_height,
            x + half_width,
            y + half_height,
        ];
        detection(self.class, 0.0, edges)
    }

    fn see(&mut self, now: Duration, detection: &Detection) {
        let seconds = now.saturating_sub(self.seen).as_secs_f32();
        let (expected, seen) = (self.at(now), place(detection));
        let second = self.frames == 1;
        // Two sightings give the first velocity; only from then on there is one to correct.
        let (alpha, beta) = if second { (1.0, 1.0) } else { (ALPHA, BETA) };
        for (axis, velocity) in self.velocity.iter_mut().enumerate() {
            if seconds > 0.0 {
                *velocity += beta * (seen[axis] - expected[axis]) / seconds;
            }
        }
        for (axis, place) in self.place.iter_mut().enumerate() {
            *place = expected[axis] + alpha * (seen[axis] - expected[axis]);
        }
        self.frames = self.frames.saturating_add(1);
        self.seen = now;
        self.updated = true;
    }

    /// Bytes of [`Self::save`].
    const ROOM: usize = 4 + 2 + 4 + 8 + 4 * 4 + 2 * 4 + 1;

    fn save(&self, to: &mut Save<'_>) {
        to.put(self.id.to_le_bytes());
        to.put(self.class.to_le_bytes());
        to.put(self.frames.to_le_bytes());
        let seen = u64::try_from(self.seen.as_nanos()).unwrap_or(u64::MAX);
        to.put(seen.to_le_bytes());
        for number in self.place.iter().chain(&self.velocity) {
            to.put(number.to_le_bytes());
        }
        to.put([self.updated.into()]);
    }

    fn load(from: &mut Load<'_>) -> Result<Self, MemoryError> {
        let mut object = Self {
            id: u32::from_le_bytes(from.take()?),
            class: u16::from_le_bytes(from.take()?),
            frames: u32::from_le_bytes(from.take()?),
            seen: Duration::from_nanos(u64::from_le_bytes(from.take()?)),
            place: [0.0; 4],
            velocity: [0.0; 2],
            updated: false,
        };
        for number in object.place.iter_mut().chain(&mut object.velocity) {
            *number = f32::from_le_bytes(from.take()?);
        }
        object.updated = match from.take()? {
            [0] => false,
            [1] => true,
            _ => return Err(MemoryError::Damaged("neither seen nor not")),
        };
        Ok(object)
    }
}

fn place(detection: &Detection) -> [f32; 4] {
    let [x, y] = detection.centre();
    [
        x,
        y,
        detection.x_max - detection.x_min,
        detection.y_max - detection.y_min,
    ]
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
