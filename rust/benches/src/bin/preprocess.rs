//! A frame into a tensor: ours, `EdgeFirst` HAL's CPU path, `yuv` + `fast_image_resize`, `OpenCV`.
//!
//! All on one thread, from the same frame, to the same tensor; how far the peers' tensors are from
//! ours is printed, so that nobody wins by doing less. `OpenCV` takes part where the environment names
//! it: `OPENCV_PYTHON` a python with cv2, `OPENCV_CPP` the program made from `peers/opencv.cpp`.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixels and counts of a few millions"
)]

use edgeai_benches::{ChildPeer, Contest, Peer, publish};
use edgeai_preprocess::{
    ChannelOrder, Colour, Dims, Fit, Image, Layout, Normalise, PixelFormat, PlaneRef, Preprocessor,
    SourceSpec, TensorType,
};
use edgefirst_image::{ConvertOptions, ImageProcessor, ImageProcessorTrait};
use edgefirst_tensor::{
    ColorEncoding, ColorRange, Colorimetry, CpuAccess, DType, TensorMapTrait, TensorTrait,
};
use fast_image_resize as fir;
use std::process::Command;

const FILL: u8 = 114;

struct Case {
    name: &'static str,
    format: PixelFormat,
    size: [u32; 2],
    target: [u32; 2],
    letterbox: bool,
    signed: bool,
    rounds: u32,
}

const CASES: [Case; 5] = [
    Case {
        name: "1080p YUYV to 640x640 RGB u8, letterbox",
        format: PixelFormat::Yuyv,
        size: [1920, 1080],
        target: [640, 640],
        letterbox: true,
        signed: false,
        rounds: 150,
    },
    Case {
        name: "640x480 YUYV to 300x300 RGB i8, stretch",
        format: PixelFormat::Yuyv,
        size: [640, 480],
        target: [300, 300],
        letterbox: false,
        signed: true,
        rounds: 150,
    },
    Case {
        name: "1080p NV12 to 640x640 RGB i8, letterbox",
        format: PixelFormat::Nv12,
        size: [1920, 1080],
        target: [640, 640],
        letterbox: true,
        signed: true,
        rounds: 150,
    },
    // 1080 rows to 360 meet source rows exactly, so half the work can be left out. Here not.
    Case {
        name: "1080p YUYV to 512x512 RGB u8, letterbox",
        format: PixelFormat::Yuyv,
        size: [1920, 1080],
        target: [512, 512],
        letterbox: true,
        signed: false,
        rounds: 150,
    },
    Case {
        name: "720p NV12 to 640x640 RGB u8, letterbox",
        format: PixelFormat::Nv12,
        size: [1280, 720],
        target: [640, 640],
        letterbox: true,
        signed: false,
        rounds: 150,
    },
];

fn main() {
    // SAFETY: nothing else runs yet. One thread for all, and no GPU for EdgeFirst.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", "1");
        std::env::set_var("EDGEFIRST_FORCE_BACKEND", "cpu");
    }
    let contests: Vec<_> = CASES.iter().map(Case::run).collect();
    publish("preprocess", &contests);
}

impl Case {
    fn run(&self) -> Contest {
        let frame = self.frame();
        let (ours, expected) = self.ours(&frame);
        let mut peers = vec![Peer::new("edgeai", ours)];
        for peer in [
            self.edgefirst(&frame, &expected),
            self.yuv_and_resize(&frame, &expected),
            self.opencv("OpenCV, Python", "OPENCV_PYTHON", &frame, &expected),
            self.opencv("OpenCV, C++", "OPENCV_CPP", &frame, &expected),
        ] {
            peers.push(peer);
        }
        Contest::run(self.name, self.rounds, peers)
    }

    /// Slow waves with edges here and there, within limited range.
    fn frame(&self) -> Vec<u8> {
        let [width, height] = self.size.map(|side| side as usize);
        let luma = |x: usize, y: usize| {
            let wave = ((x as f64 / 37.0).sin() + (y as f64 / 23.0).cos()) * 50.0 + 120.0;
            let edge = if (x / 160 + y / 90).is_multiple_of(5) {
                30.0
            } else {
                0.0
            };
            (wave + edge).clamp(16.0, 235.0) as u8
        };
        let chroma = |x: usize, y: usize, plane: usize| {
            ((x as f64 / 91.0 + plane as f64).sin() * (y as f64 / 71.0).cos() * 60.0 + 128.0) as u8
        };
        let places = |rows: usize| (0..rows).flat_map(move |y| (0..width).map(move |x| (x, y)));
        if self.format == PixelFormat::Yuyv {
            return places(height)
                .flat_map(|(x, y)| [luma(x, y), chroma(x & !1, y, x & 1)])
                .collect();
        }
        let mut frame: Vec<u8> = places(height).map(|(x, y)| luma(x, y)).collect();
        frame.extend(places(height / 2).map(|(x, y)| chroma(x & !1, y * 2, x & 1)));
        frame
    }

    /// Width and height of the picture in the tensor, and where it begins.
    fn content(&self) -> ([u32; 2], [u32; 2]) {
        if !self.letterbox {
            return (self.target, [0, 0]);
        }
        let scale = (0..2)
            .map(|axis| f64::from(self.target[axis]) / f64::from(self.size[axis]))
            .fold(f64::INFINITY, f64::min);
        let size = self
            .size
            .map(|side| (f64::from(side) * scale).round() as u32);
        (
            size,
            [0, 1].map(|axis| (self.target[axis] - size[axis]) / 2),
        )
    }

    fn tensor_bytes(&self) -> usize {
        self.target[0] as usize * self.target[1] as usize * 3
    }

    fn ours<'a>(&self, frame: &'a [u8]) -> (impl FnMut() + use<'a>, Vec<u8>) {
        let [width, height] = self.size;
        let source = SourceSpec {
            format: self.format,
            colour: Colour::default(),
            size: self.size,
        };
        let layout = Layout {
            size: self.target,
            channels: 3,
            order: ChannelOrder::Rgb,
            dims: Dims::Nhwc,
            element: if self.signed {
                TensorType::I8 {
                    scale: 1.0 / 255.0,
                    zero_point: -128,
                }
            } else {
                TensorType::U8 {
                    scale: 1.0 / 255.0,
                    zero_point: 0,
                }
            },
            normalise: Normalise::range([0.0, 1.0]),
        };
        let fit = if self.letterbox {
            Fit::Letterbox { fill: [FILL; 3] }
        } else {
            Fit::Stretch
        };
        let mut preprocessor = Preprocessor::new(&source, None, fit, &layout).expect("valid");
        let luma = width as usize * height as usize;
        let planes = match self.format {
            PixelFormat::Yuyv => vec![PlaneRef {
                bytes: frame,
                stride: width as usize * 2,
            }],
            _ => [&frame[..luma], &frame[luma..]]
                .map(|bytes| PlaneRef {
                    bytes,
                    stride: width as usize,
                })
                .to_vec(),
        };
        let mut tensor = vec![0; preprocessor.tensor_bytes()];
        let mut run = move |tensor: &mut [u8]| {
            let image = Image::new(&planes, source.format, source.colour, width, height);
            preprocessor
                .run(&image.expect("valid"), tensor)
                .expect("valid");
        };
        run(&mut tensor);
        let expected = tensor.clone();
        (move || run(&mut tensor), expected)
    }

    fn edgefirst(&self, frame: &[u8], expected: &[u8]) -> Peer<'static> {
        let (name, [width, height]) = ("EdgeFirst HAL, CPU", self.size);
        let make = || -> Result<_, edgefirst_image::Error> {
            let mut processor = ImageProcessor::new()?;
            let format = match self.format {
                PixelFormat::Yuyv => edgefirst_tensor::PixelFormat::Yuyv,
                _ => edgefirst_tensor::PixelFormat::Nv12,
            };
            let access = CpuAccess::ReadWrite;
            let mut source = processor.create_image(
                width as usize,
                height as usize,
                format,
                DType::U8,
                None,
                access,
            )?;
            // Without it, BT.709 is taken for frames of this size.
            source.set_colorimetry(Some(Colorimetry {
                space: None,
                transfer: None,
                encoding: Some(ColorEncoding::Bt601),
                range: Some(ColorRange::Limited),
            }));
            if let Some(bytes) = source.as_u8() {
                bytes.map()?.as_mut_slice()[..frame.len()].copy_from_slice(frame);
            }
            let mut target = processor.create_image(
                self.target[0] as usize,
                self.target[1] as usize,
                edgefirst_tensor::PixelFormat::Rgb,
                if self.signed { DType::I8 } else { DType::U8 },
                None,
                access,
            )?;
            let options = self
                .letterbox
                .then(|| ConvertOptions::new().letterbox([FILL, FILL, FILL, 255]));
            processor.convert(&source, &mut target, options)?;
            Ok((processor, source, target, options))
        };
        match make() {
            Err(error) => Peer::skipped(name, error.to_string()),
            Ok((mut processor, source, mut target, options)) => {
                let bytes: Vec<u8> = if let Some(target) = target.as_u8() {
                    target.map().expect("mapped").as_slice().to_vec()
                } else if let Some(target) = target.as_i8() {
                    let map = target.map().expect("mapped");
                    map.as_slice()
                        .iter()
                        .map(|value| value.cast_unsigned())
                        .collect()
                } else {
                    Vec::new()
                };
                self.compare(name, &bytes, expected);
                Peer::new(name, move || {
                    processor
                        .convert(&source, &mut target, options)
                        .expect("converted before");
                })
            }
        }
    }

    /// Both crates' results in buffers that are kept, as a careful user would have it.
    fn yuv_and_resize<'a>(&self, frame: &'a [u8], expected: &[u8]) -> Peer<'a> {
        use fir::images::{TypedImage, TypedImageRef};
        use fir::pixels::U8x3;
        let name = "yuv + fast_image_resize";
        let ([width, height], [target_width, _]) = (self.size, self.target);
        let (content, [left, top]) = self.content();
        let (packed, signed) = (self.format == PixelFormat::Yuyv, self.signed);
        let mut rgb = vec![0u8; width as usize * height as usize * 3];
        let mut picture = TypedImage::<U8x3>::new(content[0], content[1]);
        let mut tensor = vec![0u8; self.tensor_bytes()];
        let mut resizer = fir::Resizer::new();
        // Two taps, as all others: not the antialiasing convolution.
        let options = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Interpolation(fir::FilterType::Bilinear));
        let mut run = move |tensor: &mut Vec<u8>| {
            let (range, matrix) = (yuv::YuvRange::Limited, yuv::YuvStandardMatrix::Bt601);
            if packed {
                let image = yuv::YuvPackedImage {
                    yuy: frame,
                    yuy_stride: width * 2,
                    width,
                    height,
                };
                yuv::yuyv422_to_rgb(&image, &mut rgb, width * 3, range, matrix)
            } else {
                let (y_plane, uv_plane) = frame.split_at(width as usize * height as usize);
                let image = yuv::YuvBiPlanarImage {
                    y_plane,
                    y_stride: width,
                    uv_plane,
                    uv_stride: width,
                    width,
                    height,
                };
                let mode = yuv::YuvConversionMode::Balanced;
                yuv::yuv_nv12_to_rgb(&image, &mut rgb, width * 3, range, matrix, mode)
            }
            .expect("valid");
            let source = TypedImageRef::<U8x3>::from_buffer(width, height, &rgb).expect("valid");
            resizer
                .resize_typed(&source, &mut picture, &options)
                .expect("valid");
            tensor.fill(FILL);
            let row = content[0] as usize * 3;
            let rows = tensor.chunks_exact_mut(target_width as usize * 3);
            for (to, from) in rows
                .skip(top as usize)
                .zip(picture.pixels().chunks_exact(row / 3))
            {
                let to = &mut to[left as usize * 3..][..row];
                for (to, from) in to.as_chunks_mut::<3>().0.iter_mut().zip(from) {
                    *to = from.0;
                }
            }
            if signed {
                for byte in tensor.iter_mut() {
                    *byte ^= 0x80;
                }
            }
        };
        run(&mut tensor);
        self.compare(name, &tensor, expected);
        Peer::new(name, move || run(&mut tensor))
    }

    fn opencv(
        &self,
        name: &'static str,
        variable: &str,
        frame: &[u8],
        expected: &[u8],
    ) -> Peer<'static> {
        let Some(program) = std::env::var_os(variable) else {
            return Peer::skipped(name, format!("{variable} is not set"));
        };
        let folder = std::env::temp_dir().join(format!("edgeai-bench-{}", std::process::id()));
        let (frame_file, tensor_file) = (folder.join("frame"), folder.join("tensor"));
        let start = || -> Result<_, String> {
            std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            std::fs::write(&frame_file, frame).map_err(|error| error.to_string())?;
            let mut command = Command::new(program);
            if variable == "OPENCV_PYTHON" {
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/opencv.py"));
            }
            command.arg(self.format.name());
            for side in self.size.into_iter().chain(self.target) {
                command.arg(side.to_string());
            }
            command
                .arg(if self.letterbox {
                    "letterbox"
                } else {
                    "stretch"
                })
                .arg(if self.signed { "i8" } else { "u8" })
                .args([&frame_file, &tensor_file]);
            let child = ChildPeer::start(&mut command)?;
            let tensor = std::fs::read(&tensor_file).map_err(|error| error.to_string())?;
            Ok((child, tensor))
        };
        let started = start();
        let _ = std::fs::remove_dir_all(&folder);
        match started {
            Err(error) => Peer::skipped(name, error),
            Ok((mut child, tensor)) => {
                self.compare(&format!("{name} {}", child.version), &tensor, expected);
                Peer::elsewhere(name, move || child.once().expect("answers"))
            }
        }
    }

    /// How far a peer's tensor is from ours, in steps.
    fn compare(&self, name: &str, tensor: &[u8], expected: &[u8]) {
        assert_eq!(tensor.len(), expected.len(), "{name}");
        let value = |byte: u8| if self.signed { byte ^ 0x80 } else { byte };
        let differences = tensor
            .iter()
            .zip(expected)
            .map(|(&a, &b)| u32::from(value(a).abs_diff(value(b))));
        let mean = f64::from(differences.clone().sum::<u32>()) / expected.len() as f64;
        let most = differences.max().unwrap_or_default();
        eprintln!(
            "{}: {name} differs by {mean:.2} steps on average, {most} at most",
            self.name
        );
    }
}
