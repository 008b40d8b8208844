//! Pictures that nobody took: what a model would answer to some objects.

use edgeai_decode::Anchor;

/// A number between 0 and 1 that looks random and is always the same.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = (self.0)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Something in the picture; all but the class in 0 ..= 1.
pub struct Object {
    class: usize,
    score: f32,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

pub fn objects(count: usize, classes: usize) -> Vec<Object> {
    let mut noise = Noise(7);
    (0..count)
        .map(|_| Object {
            class: (noise.next() * classes as f32) as usize,
            score: 0.4 + 0.5 * noise.next(),
            x: 0.1 + 0.8 * noise.next(),
            y: 0.1 + 0.8 * noise.next(),
            width: 0.04 + 0.2 * noise.next() * noise.next(),
            height: 0.04 + 0.3 * noise.next() * noise.next(),
        })
        .collect()
}

/// `[84, 8400]`: each object fires in the dozen cells nearest to its centre, of the stride that
/// fits its size; everything else is a faint background.
pub fn yolo(objects: &[Object]) -> Vec<f32> {
    const N: usize = 8400;
    let mut noise = Noise(1);
    let mut tensor = vec![0.0; 84 * N];
    for score in &mut tensor[4 * N..] {
        let faint = noise.next();
        *score = 0.04 * faint * faint * faint;
    }
    let strides = [(8, 0), (16, 6400), (32, 8000)];
    for (stride, first) in strides {
        let cells = 640 / stride;
        for cell in 0..cells * cells {
            let centre = |cell: usize| (cell as f32 + 0.5) / cells as f32;
            let values = [centre(cell % cells), centre(cell / cells), 0.05, 0.05];
            for (channel, value) in values.into_iter().enumerate() {
                tensor[channel * N + first + cell] = value;
            }
        }
    }
    for object in objects {
        let side = object.width.max(object.height);
        let (stride, first) = strides[usize::from(side > 0.1) + usize::from(side > 0.25)];
        let cells = 640 / stride;
        let at = |place: f32, offset: i32| {
            let cells = i32::try_from(cells).expect("few");
            ((place * cells as f32) as i32 + offset).clamp(0, cells - 1) as usize
        };
        for down in -1..=1 {
            for across in -2i32..=1 {
                let anchor = first + at(object.y, down) * cells + at(object.x, across);
                let far = (down.abs() + across.abs()) as f32;
                let mut near = |value: f32| value * (1.0 + 0.04 * (noise.next() - 0.5));
                let values = [object.x, object.y, object.width, object.height].map(&mut near);
                for (channel, value) in values.into_iter().enumerate() {
                    tensor[channel * N + anchor] = value;
                }
                let score = object.score * (1.0 - 0.12 * far);
                tensor[(4 + object.class) * N + anchor] = near(score).min(1.0);
            }
        }
    }
    tensor
}

/// Offsets and logits (background first), and the same as boxes (edges) and probabilities
/// without background.
pub struct SsdTensors {
    pub offsets: Vec<f32>,
    pub logits: Vec<f32>,
    pub boxes: Vec<f32>,
    pub scores: Vec<f32>,
}

pub fn ssd(objects: &[Object], anchors: &[Anchor], classes: usize) -> SsdTensors {
    let mut noise = Noise(3);
    let mut tensors = SsdTensors {
        offsets: vec![0.0; anchors.len() * 4],
        logits: Vec::new(),
        boxes: Vec::new(),
        scores: Vec::new(),
    };
    let mut scores = vec![0.0; anchors.len() * (classes + 1)];
    for score in &mut scores {
        *score = 0.01 + 0.03 * noise.next();
    }
    for object in objects {
        let mut nearest: Vec<usize> = (0..anchors.len()).collect();
        let distance = |anchor: &Anchor| {
            (anchor.x - object.x).abs()
                + (anchor.y - object.y).abs()
                + (anchor.width - object.width).abs()
                + (anchor.height - object.height).abs()
        };
        nearest.sort_by(|&a, &b| distance(&anchors[a]).total_cmp(&distance(&anchors[b])));
        for (far, &index) in nearest.iter().take(8).enumerate() {
            let anchor = &anchors[index];
            let offsets = [
                (object.y - anchor.y) / anchor.height * 10.0,
                (object.x - anchor.x) / anchor.width * 10.0,
                (object.height / anchor.height).ln() * 5.0,
                (object.width / anchor.width).ln() * 5.0,
            ];
            for (field, offset) in offsets.into_iter().enumerate() {
                tensors.offsets[index * 4 + field] = offset + 0.2 * (noise.next() - 0.5);
            }
            let score = object.score * (1.0 - 0.05 * far as f32);
            scores[index * (classes + 1) + 1 + object.class] = score;
        }
    }
    for (anchor, &offsets) in anchors.iter().zip(tensors.offsets.as_chunks::<4>().0) {
        tensors.boxes.extend(anchor_box(anchor, offsets));
    }
    tensors.logits = (scores.iter())
        .map(|score| (score / (1.0 - score)).ln())
        .collect();
    tensors.scores = (scores.chunks(classes + 1))
        .flat_map(|row| row[1..].to_vec())
        .collect();
    tensors
}

/// Edges of a box that lies `offsets` (y, x, height, width) from its anchor.
pub fn anchor_box(anchor: &Anchor, offsets: [f32; 4]) -> [f32; 4] {
    let y = offsets[0] / 10.0 * anchor.height + anchor.y;
    let x = offsets[1] / 10.0 * anchor.width + anchor.x;
    let height = (offsets[2] / 5.0).exp() * anchor.height / 2.0;
    let width = (offsets[3] / 5.0).exp() * anchor.width / 2.0;
    [x - width, y - height, x + width, y + height]
}
