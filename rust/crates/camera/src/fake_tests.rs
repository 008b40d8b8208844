//! The way of a frame through drivers of every kind.

use crate::camera::Camera;
use crate::fake::{Driver, FakeFormat};
use crate::frame::{CameraError, FrameSource};
use crate::ioctl::Queue;
use crate::report::Negotiated;
use edgeai_config::{Arrangement, Colour, Matrix, PixelFormat, Range};
use std::time::Duration;
use v4l::v4l_sys as sys;

/// The fake driver has its frames before it is asked; longer is only waited when none come.
const SHORT: Duration = Duration::from_millis(1);

fn asked(format: Option<PixelFormat>) -> edgeai_config::Camera {
    edgeai_config::Camera {
        name: "camera".into(),
        device: "fake".into(),
        format,
        planes: None,
        size: [640, 480],
        fps: 30,
        controls: std::collections::BTreeMap::new(),
    }
}

fn start(
    driver: &Driver,
    asked: &edgeai_config::Camera,
) -> Result<(Camera, Negotiated), CameraError> {
    Camera::start(driver.node(), asked, "fake")
}

fn format(code: [u8; 4], sizes: &[[u32; 2]], rates: &[u32]) -> FakeFormat {
    FakeFormat {
        code,
        sizes: sizes.to_vec(),
        rates: rates.to_vec(),
        planes: match &code {
            b"NM12" => &[4, 4],
            b"YM12" => &[4, 2, 2],
            b"YUYV" | b"UYVY" => &[8],
            _ => &[4],
        },
    }
}

#[test]
fn padded_lines_come_with_the_drivers_stride() {
    let driver = Driver::default();
    driver.state().alignment = 1024;
    let (mut camera, negotiated) = start(&driver, &asked(None)).unwrap();
    assert_eq!(
        negotiated.to_string(),
        "asked any 640x480@30, offered YUYV 640x480@30, taken YUYV 640x480@30.00 BT.601 limited range"
    );
    assert_eq!(negotiated.strides, [2048, 0, 0]);
    driver.write(0, &[9]);
    driver.capture(7);
    let frame = camera.next(SHORT).unwrap();
    assert_eq!(
        (frame.plane_count, frame.width, frame.height),
        (1, 640, 480)
    );
    assert_eq!(frame.planes[0].stride, 2048);
    assert_eq!(frame.planes[0].bytes.len(), 2048 * 480);
    assert!(frame.planes[0].bytes.iter().all(|&byte| byte == 7));
    assert!(frame.planes[1].bytes.is_empty());
}

#[test]
fn separate_memory_planes_are_the_planes_of_the_frame() {
    for (code, count, strides) in [(b"NM12", 2, [640, 640, 0]), (b"YM12", 3, [640, 320, 320])] {
        let driver = Driver::default();
        driver.state().queue = Queue::MultiPlanar;
        driver.state().data_offset = 128;
        driver.state().formats = vec![format(*code, &[[640, 480]], &[30])];
        let (mut camera, negotiated) = start(&driver, &asked(None)).unwrap();
        assert_eq!(negotiated.strides, strides);
        driver.capture(40);
        let frame = camera.next(SHORT).unwrap();
        assert_eq!(frame.plane_count, count);
        for (plane, value) in frame.planes.iter().zip(40..).take(count) {
            assert!(!plane.bytes.is_empty());
            assert!(plane.bytes.iter().all(|&byte| byte == value));
        }
        assert_eq!(frame.planes[0].bytes.len(), 640 * 480);
        assert_eq!(frame.planes[1].bytes.len(), strides[1] * 240);
    }
}

#[test]
fn separate_planes_are_taken_where_they_are_asked_for() {
    let driver = Driver::default();
    driver.state().queue = Queue::MultiPlanar;
    driver.state().formats = [*b"NV12", *b"NM12", *b"YUYV"]
        .map(|code| format(code, &[[640, 480]], &[30]))
        .to_vec();
    for (format, planes, taken) in [
        (Some(PixelFormat::Nv12), None, "asked NV12 640x480@30"),
        (
            Some(PixelFormat::Nv12),
            Some(Arrangement::Separate),
            "asked NV12 in separate planes 640x480@30",
        ),
        (
            None,
            Some(Arrangement::Separate),
            "asked any in separate planes 640x480@30",
        ),
    ] {
        let asked = edgeai_config::Camera {
            planes,
            ..asked(format)
        };
        let (mut camera, negotiated) = start(&driver, &asked).unwrap();
        let code = if planes.is_some() { "NM12" } else { "NV12" };
        let words = negotiated.to_string();
        assert!(words.starts_with(taken), "{words}");
        assert!(
            words.contains(&format!("taken {code} 640x480@30")),
            "{words}"
        );
        driver.capture(1);
        assert_eq!(camera.next(SHORT).unwrap().plane_count, 2);
    }
}

#[test]
fn contiguous_planes_are_split_on_either_interface() {
    for queue in [Queue::SinglePlanar, Queue::MultiPlanar] {
        let driver = Driver::default();
        driver.state().queue = queue;
        driver.state().alignment = 256;
        driver.state().colorspace = sys::v4l2_colorspace_V4L2_COLORSPACE_REC709;
        driver.state().formats = vec![format(*b"NV12", &[], &[])];
        let (mut camera, negotiated) = start(&driver, &asked(Some(PixelFormat::Nv12))).unwrap();
        assert_eq!(negotiated.strides, [768, 768, 0]);
        driver.capture(3);
        let frame = camera.next(SHORT).unwrap();
        let lengths = frame.planes.map(|plane| plane.bytes.len());
        assert_eq!(lengths, [768 * 480, 768 * 240, 0]);
        let bt709 = Colour {
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        assert_eq!((frame.colour, negotiated.colour), (bt709, bt709));
    }
}

#[test]
fn without_a_format_the_cheapest_that_reaches_what_is_asked_is_taken() {
    let driver = Driver::default();
    driver.state().formats = vec![
        format(*b"H264", &[[640, 480]], &[30]),
        format(*b"MJPG", &[[1280, 720], [640, 480]], &[30]),
        format(*b"YUYV", &[[640, 480]], &[5, 30]),
        format(*b"GREY", &[[640, 480]], &[30]),
    ];
    let taken = |asked: &edgeai_config::Camera| {
        let (_, negotiated) = start(&driver, asked).unwrap();
        driver.state().only_size = None;
        negotiated.to_string()
    };
    assert_eq!(
        taken(&asked(None)),
        "asked any 640x480@30, offered MJPG 640x480@30, YUYV 640x480@30, GREY 640x480@30, H264, \
         taken YUYV 640x480@30.00 BT.601 limited range"
    );
    let large = edgeai_config::Camera {
        size: [1280, 720],
        ..asked(None)
    };
    assert!(taken(&large).ends_with("taken MJPG 1280x720@30.00"));
    let grey = taken(&asked(Some(PixelFormat::Grey)));
    assert!(
        grey.ends_with("taken GREY 640x480@30.00 full range"),
        "{grey}"
    );
}

#[test]
fn a_driver_that_takes_another_size_and_rate_is_reported() {
    let driver = Driver::default();
    driver.state().only_size = Some([320, 200]);
    let fast = edgeai_config::Camera {
        fps: 60,
        ..asked(Some(PixelFormat::Yuyv))
    };
    let (mut camera, negotiated) = start(&driver, &fast).unwrap();
    assert!(negotiated.to_string().contains("asked YUYV 640x480@60, "));
    assert!(negotiated.to_string().contains("taken YUYV 320x200@30.00"));
    driver.capture(1);
    let frame = camera.next(SHORT).unwrap();
    assert_eq!((frame.width, frame.height), (320, 200));
}

#[test]
fn what_cannot_be_taken_is_refused_with_what_is_offered() {
    let driver = Driver::default();
    let error = |asked: edgeai_config::Camera| start(&driver, &asked).err().unwrap();
    assert_eq!(
        error(asked(Some(PixelFormat::Nv12))),
        CameraError::Unusable("fake: no pixel format NV12; it offers YUYV 640x480@30".into())
    );
    driver.state().formats = vec![format(*b"H264", &[], &[])];
    assert_eq!(
        error(asked(None)),
        CameraError::Unusable("fake: no pixel format that can be used; it offers H264".into())
    );
    driver.state().formats = vec![format(*b"YUYV", &[], &[])];
    driver.state().field = sys::v4l2_field_V4L2_FIELD_SEQ_TB;
    assert!(matches!(error(asked(None)), CameraError::Unusable(_)));
    driver.state().gone = true;
    assert!(matches!(error(asked(None)), CameraError::Missing(_)));
}

#[test]
fn the_newest_frame_comes_and_the_others_count() {
    let driver = Driver::default();
    let (mut camera, _) = start(&driver, &asked(None)).unwrap();
    for value in [1, 2, 3] {
        driver.capture(value);
    }
    let frame = camera.next(SHORT).unwrap();
    assert_eq!((frame.sequence, frame.planes[0].bytes[0]), (2, 3));
    assert_eq!(camera.dropped(), 2);
    // All buffers filled: what they hold is old, and three more frames could not be kept.
    for value in 4..10 {
        driver.capture(value);
    }
    assert_eq!(camera.next(SHORT).unwrap_err(), CameraError::TimedOut);
    driver.capture(10);
    let frame = camera.next(SHORT).unwrap();
    assert_eq!((frame.sequence, frame.planes[0].bytes[0]), (9, 10));
    assert_eq!(camera.dropped(), 8);
}

#[test]
fn damaged_and_short_frames_are_dropped() {
    let driver = Driver::default();
    let (mut camera, _) = start(&driver, &asked(None)).unwrap();
    driver.fill(1, sys::V4L2_BUF_FLAG_ERROR, None);
    driver.fill(2, 0, Some(640 * 2 * 480 - 1));
    assert_eq!(camera.next(SHORT).unwrap_err(), CameraError::TimedOut);
    assert_eq!(camera.dropped(), 2);
    driver.fill(3, 0, Some(640 * 2 * 480));
    assert_eq!(camera.next(SHORT).unwrap().sequence, 2);
}

#[test]
fn an_input_output_error_passes_and_many_are_the_end() {
    let driver = Driver::default();
    let (mut camera, _) = start(&driver, &asked(None)).unwrap();
    driver.state().errors.extend([libc::EIO; 3]);
    driver.capture(1);
    let long = Duration::from_secs(60);
    assert_eq!(camera.next(long).unwrap().sequence, 0);
    driver.state().errors.extend([libc::EIO; 100]);
    let error = camera.next(long).unwrap_err();
    assert!(matches!(error, CameraError::Lost(_)), "{error}");
    assert!(driver.state().errors.len() > 90, "it did not spin");
}

#[test]
fn a_device_that_is_gone_is_noticed_whether_the_driver_wakes_us_or_not() {
    for wakes in [true, false] {
        let driver = Driver::default();
        let (mut camera, _) = start(&driver, &asked(None)).unwrap();
        driver.capture(1);
        camera.next(SHORT).unwrap();
        // The buffer is back with the driver: that cannot be what notices it.
        assert_eq!(camera.next(SHORT).unwrap_err(), CameraError::TimedOut);
        driver.state().gone = true;
        driver.state().wakes = wakes;
        driver.state().polls.clear();
        assert_eq!(
            camera.next(Duration::from_secs(60)).unwrap_err(),
            CameraError::Lost("the device is gone".into())
        );
        let polls = driver.state().polls.clone();
        assert!(polls.len() == 1 && polls[0] <= Duration::from_millis(50));
    }
}

#[test]
fn streaming_ends_with_the_camera() {
    let driver = Driver::default();
    let (camera, _) = start(&driver, &asked(None)).unwrap();
    assert!(driver.state().streaming);
    drop(camera);
    assert!(!driver.state().streaming);
}

#[test]
fn controls_are_set_modes_first() {
    let driver = Driver::default();
    let with = |controls: &[(&str, i64)]| edgeai_config::Camera {
        controls: controls
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect(),
        ..asked(None)
    };
    let wide = 1 << 40;
    let fine = with(&[("shutter_mode", 1), ("gain", 25), ("integer_64_bits", wide)]);
    start(&driver, &fine).unwrap();
    assert_eq!(driver.state().set, [(10, 1), (20, 25), (30, wide)]);
    let gain_before_mode = with(&[("shutter_mode", 3), ("gain", 5)]);
    start(&driver, &gain_before_mode).unwrap();

    driver.state().set.clear();
    let error = |controls| match start(&driver, &with(controls)) {
        Err(CameraError::Unusable(reason)) => reason,
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(
        error(&[("gain", 10), ("sharpness", 1)]),
        "fake: no control sharpness; it has shutter_mode, gain, integer_64_bits"
    );
    assert_eq!(
        error(&[("gain", 101)]),
        "fake: control gain = 101: possible is 0 to 100 in steps of 5"
    );
    assert_eq!(
        error(&[("shutter_mode", 2)]),
        "fake: control shutter_mode = 2: possible is 0 (mode), 1 (mode), 3 (mode)"
    );
    assert!(
        driver.state().set.is_empty(),
        "all are checked before one is set"
    );
    driver.state().controls[1].flags = sys::V4L2_CTRL_FLAG_INACTIVE;
    assert!(error(&[("gain", 10)]).contains("(inactive: another control"));
}

#[test]
fn opening_what_is_no_camera_fails_at_once() {
    let open = |device: &str| {
        let asked = edgeai_config::Camera {
            device: device.into(),
            ..asked(None)
        };
        crate::open(&asked).err().unwrap()
    };
    assert!(matches!(open("/dev/video-none"), CameraError::Missing(_)));
    assert!(matches!(open("/dev/null"), CameraError::Unusable(_)));
    assert!(matches!(open("/dev/nul\0"), CameraError::Unusable(_)));
    assert!(matches!(
        open("card:no such camera"),
        CameraError::Missing(_)
    ));
    assert!(matches!(
        open("replay:/nonexistent"),
        CameraError::Missing(_)
    ));
}
