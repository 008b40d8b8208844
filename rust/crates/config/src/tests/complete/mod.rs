//! A description that uses everything.

mod rules;

use super::*;

const COMPLETE: &str = r#"
[[camera]]
name = "gate"
device = "card:HD Webcam C525"
format = "NV12"
size = [1280, 720]
controls = { exposure_time_absolute = 100, gain = -1 }

[[camera]]
name = "belt"
device = "replay:belt.rec"
size = [641, 481]

[[model]]
name = "people"
file = "people"
camera = "gate"
crop = [0.25, 0.0, 0.75, 1.0]
accelerator = "teflon"
options = { cache = "off" }
on_fallback = "fail"
runtime = "litert"
track = { iou = 0.25, lost_ms = 400 }

[[model]]
name = "vibration"
file = "vibration"
sensor = "motor"

[deadline]
frame_to_action_ms = 100

[gpio]
backend = "rppal"

[[input]]
name = "button"
line = "gpiochip0:17"
bias = "pull-up"
active_low = true

[[sensor]]
name = "motor"
kind = "iio"
device = "adxl345"
rate_hz = 3200
buffered = true
channel = [{ name = "x", source = "accel_x", unit = "m/s²" }, { name = "y", source = "accel_y" }]

[[sensor]]
name = "room"
kind = "i2c"
device = "/dev/i2c-1"
address = 0x48
rate_hz = 10
setup = [[0x01, 0x60]]

[[sensor.channel]]
name = "temperature"
register = [0x00]
type = "s16be"
shift = 4
scale = 0.0625
unit = "°C"
range = [-40, 125]

[[sensor]]
name = "load"
kind = "spi"
device = "/dev/spidev0.0"
speed_hz = 1000000
spi_mode = 1
rate_hz = 80
timeout_ms = 500
channel = [{ name = "force", type = "s24be" }]

[[output]]
name = "stop"
line = "gpiochip0:23"
safe = "high"
drive = "push-pull"
min_interval_ms = 100

[[output]]
name = "horn"
pwm = { channel = "pwmchip0:1", frequency_hz = 2000, high = 0.5 }
safe = "low"

[[rule]]
name = "person"
then = { output = "stop", level = "high", latch = true, reset = "button", log = "stopped" }
[rule.when]
all = [
    { class = "Person", score = 0.5, model = "people", zone = [[0, 0], [1, 0], [1, 1]], point = "left_ankle", count = 2 },
    { any = [{ not = { input = "button", level = "high", for_ms = 10 } }, { between = ["22:00", "06:00"], days = ["sat", "sun"] }] },
]

[[rule]]
name = "passers"
when = { crosses = [[0.5, 0], [0.5, 1]], direction = "left-to-right", class = "Person", score = 0.25, model = "people" }
then = { count = "passers", telemetry = true, snapshot = true, cooldown_ms = 50 }

[[rule]]
name = "rough"
when = { value = "motor.x", above = 12.5, hysteresis = 2, over_ms = 1000, statistic = "rms", for_ms = 100 }
then = { output = "horn", level = "high", hold_ms = 500 }

[[rule]]
name = "odd"
when = { value = "vibration.anomaly", below = -1 }
then = { output = "horn", level = "high" }

[recording]
directory = "/data/recordings"
file_mib = 16
files = 8
"#;

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    refused_in(COMPLETE, from, to, message);
}

#[test]
fn it_is_read() {
    let appliance = parse("a", COMPLETE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(appliance.cameras[1].format, None);
    assert_eq!(appliance.cameras[0].controls["gain"], -1);
    assert_eq!(
        appliance.models[0].accelerator,
        Accelerator::Named("teflon".into())
    );
    let track = appliance.models[0].track.as_ref().unwrap();
    assert_eq!((track.confirm_frames, track.lost_ms), (2, 400));
    assert_eq!(appliance.sensors[1].channels[0].register, [0]);
    assert!(appliance.outputs[1].pwm.as_ref().unwrap().low.abs() < f64::EPSILON);
    let all = appliance.rules[0].when.all.as_ref().unwrap();
    let any = all[1].any.as_ref().unwrap();
    assert_eq!(any[0].not.as_ref().unwrap().for_ms, 10);
    assert_eq!(any[1].days, Some(vec![Day::Sat, Day::Sun]));
    assert_eq!(
        appliance.rules[1].when.direction,
        Some(Direction::LeftToRight)
    );
    assert_eq!(appliance.rules[2].when.statistic, Some(Statistic::Rms));
}

#[test]
fn types_and_keys_are_told_at_their_place_in_nested_tables() {
    refused("size = [641, 481]", "size = ‸641", "camera[1].size: ");
    refused(
        "gain = -1",
        "gain = ‸0.5",
        "camera[0].controls.gain: invalid type: floating point `0.5`, expected a whole number",
    );
    refused(
        "address = 0x48",
        "address = ‸-1",
        "expected a whole number, 0 to 65535",
    );
    refused(
        "rate_hz = 80",
        "rate_hz = ‸\"80\"",
        "sensor[2].rate_hz: invalid type: string \"80\", expected a number",
    );
    refused("iou = 0.25", "‸iuo = 0.25", "unknown key `iuo`");
    refused("[0x01, 0x60]", "[0x01, ‸256]", "sensor[1].setup[0][1]: ");
    refused("for_ms = 10 ", "‸hold = 10 ", "unknown key `hold`");
    refused("count = 2", "count = ‸-2", "rule[0].when.all[0].count: ");
    refused("\"sun\"", "‸\"sunday\"", "days[1]: unknown variant");
    refused("[gpio]", "‸[[gpio]]", "gpio: expected one [gpio]");
    refused(
        "{ iou = 0.25, lost_ms = 400 }",
        "‸true",
        "model.track: expected a table, like track = {",
    );
    refused(
        "channel = [{ name = \"force\", type = \"s24be\" }]",
        "channel = ‸{ name = \"force\", type = \"s24be\" }",
        "sensor.channel: expected an array of tables",
    );
    refused(
        "not = { input = \"button\", level = \"high\", for_ms = 10 }",
        "not = ‸[]",
        "rule.when.all.any.not: expected a table",
    );
    refused(
        "any = [",
        "any = ‸[1, ",
        "rule.when.all.any: expected an array",
    );
    refused("files = 8", "‸file = 8", "unknown key `file`");
}

#[test]
fn cameras() {
    refused("\"belt\"", "‸\"gate\"", "another [[camera]] has the name");
    refused("[1280, 720]", "[1280, ‸721]", "the height of NV12 is even");
    refused("[1280, 720]", "[‸1281, 720]", "the width of NV12 is even");
    refused(
        "format = \"NV12\"",
        "format = \"YUYV\"\nplanes = ‸\"separate\"",
        "YUYV is one plane; remove it",
    );
    refused(
        "format = \"NV12\"",
        "planes = ‸\"apart\"",
        "unknown variant `apart`",
    );
    refused("\"replay:belt.rec\"", "‸\"belt.rec\"", "or \"replay:…\"");
    let cameras = "[[camera]]\nname = \"c0\"\ndevice = \"/dev/c\"\nsize = [64, 64]\n".repeat(3);
    let cameras = cameras.replacen("c0", "c1", 1).replacen("c0", "c2", 1);
    refused(
        "[[model]]\nname = \"people\"",
        &format!("{}[[model]]\nname = \"people\"", mark_last(&cameras)),
        "at most 4 are possible",
    );
}

/// Marks the last table of a text.
fn mark_last(tables: &str) -> String {
    let last = tables.rfind("[[").unwrap();
    let (before, table) = tables.split_at(last);
    format!("{before}‸{table}")
}

#[test]
fn models() {
    refused(
        "camera = \"gate\"",
        "camera = ‸\"door\"",
        "there is gate, belt",
    );
    refused(
        "[[model]]\nname = \"people\"\nfile = \"people\"\ncamera = \"gate\"",
        "‸[[model]]\nname = \"people\"\nfile = \"people\"",
        "add camera = \"…\" to say through which it looks; there is gate, belt",
    );
    refused(
        "sensor = \"motor\"",
        "sensor = ‸\"engine\"",
        "there is motor, room, load",
    );
    refused(
        "sensor = \"motor\"",
        "sensor = ‸\"motor\"\ncamera = \"gate\"",
        "either a camera or a sensor",
    );
    refused(
        "sensor = \"motor\"",
        "sensor = \"motor\"\ncrop = ‸[0, 0, 1, 1]",
        "crop goes with a camera only",
    );
    refused(
        "[0.25, 0.0, 0.75, 1.0]",
        "‸[0.25, 0.0, 0.8, 1.0]",
        "x + width",
    );
    refused(
        "[0.25, 0.0, 0.75, 1.0]",
        "‸[0.25, 0.0, 0.75, 0.0]",
        "above 0",
    );
    refused(
        "[0.25, 0.0, 0.75, 1.0]",
        "[0.25, ‸-0.1, 0.75, 1.0]",
        "0.0 to 1.0",
    );
    refused("\"teflon\"", "‸\"tpu\"", "there is no accelerator \"tpu\"");
    refused(
        "accelerator = \"teflon\"\noptions = {",
        "accelerator = \"cpu\"\noptions = ‸{",
        "options goes with a delegate",
    );
    refused("iou = 0.25", "iou = ‸1.5", "0.0 to 1.0");
    refused("lost_ms = 400", "lost_ms = ‸60001", "0 to 60000 ms");
    refused("lost_ms = 400", "confirm_frames = ‸0", "1 to 100 frames");
}

#[test]
fn outputs() {
    refused("\"pwmchip0:1\"", "‸\"pwmchip0\"", "like \"pwmchip0:1\"");
    refused("= 2000,", "= ‸0.01,", "expected 0.1 to 1000000.0 Hz");
    refused("high = 0.5 }", "high = ‸1.5 }", "0.0 to 1.0");
    refused("high = 0.5 }", "low = ‸nan }", "0.0 to 1.0");
    let pwm = "pwm = { channel = \"pwmchip0:1\", frequency_hz = 2000, high = 0.5 }";
    refused(
        pwm,
        &pwm.replace('{', "‸{").replace("0.5", "0"),
        "the same duty cycle",
    );
    refused(
        pwm,
        &format!("line = \"x\"\n{}", pwm.replace('{', "‸{")),
        "either a line or a pwm",
    );
    refused(
        &format!("[[output]]\nname = \"horn\"\n{pwm}"),
        "‸[[output]]\nname = \"horn\"",
        "needs a line or a pwm",
    );
    refused(
        "min_interval_ms = 100",
        "min_interval_ms = ‸60001",
        "60000 ms",
    );
    refused(
        "safe = \"low\"",
        "safe = \"low\"\ndrive = ‸\"push-pull\"",
        "drive goes with line only",
    );
    refused(
        "[recording]",
        "[[output]]\nname = \"beep\"\nsafe = \"low\"\npwm = { channel = ‸\"pwmchip00:1\", frequency_hz = 1 }\n[recording]",
        "output \"horn\" has this channel already",
    );
    refused(
        "\"gpiochip0:23\"",
        "‸\"gpiochip1:23\"",
        "with backend = \"rppal\"",
    );
    refused(
        "bias = \"pull-up\"",
        "bias = ‸\"as-is\"",
        "backend = \"rppal\" always sets a bias",
    );
    refused(
        "drive = \"push-pull\"",
        "drive = ‸\"open-drain\"",
        "backend = \"rppal\" drives push-pull only",
    );
    refused(
        "\"gpiochip0:23\"",
        "‸\"gpiochip0:17\"",
        "input \"button\" has this line",
    );
}

#[test]
fn sensors() {
    refused(
        "\"adxl345\"",
        "‸\"/dev/iio\"",
        "\"iio:device0\" or a device's name",
    );
    refused("\"/dev/i2c-1\"", "‸\"i2c-1\"", "expected the bus, like");
    refused("address = 0x48", "address = ‸120", "3 to 119");
    refused("speed_hz = 1000000", "speed_hz = ‸0", "1 to 100000000 Hz");
    refused("spi_mode = 1", "spi_mode = ‸4", "0 to 3");
    refused("rate_hz = 80", "rate_hz = ‸0", "0.01 to 100000.0 samples");
    refused(
        "rate_hz = 80",
        "rate_hz = ‸201",
        "only a sensor of kind = \"iio\"",
    );
    refused(
        "rate_hz = 3200\nbuffered = true",
        "rate_hz = ‸3200",
        "needs buffered = true",
    );
    refused("timeout_ms = 500", "timeout_ms = ‸0", "1 to 60000 ms");
    refused(
        "timeout_ms = 500",
        "address = ‸4",
        "address goes with kind = \"i2c\" only",
    );
    refused(
        "timeout_ms = 500",
        "buffered = ‸false",
        "buffered goes with kind = \"iio\"",
    );
    refused("[[0x01, 0x60]]", "[‸[]]", "the bytes of one transfer");
    refused(
        "buffered = true",
        "buffered = true\nsetup = ‸[]",
        "\"i2c\" or \"spi\" only",
    );
    for (kind, key, line) in [
        ("i2c", "address", "address = 0x48\n"),
        ("spi", "speed_hz", "speed_hz = 1000000\n"),
    ] {
        let at = COMPLETE.find(&format!("kind = \"{kind}\"")).unwrap();
        let table = COMPLETE[..at].rfind("[[sensor]]").unwrap();
        let mut text = COMPLETE.to_owned();
        text.insert(table, '‸');
        let text = text.replace(line, "");
        let expected = Position::of(&text, text.find('‸').unwrap());
        let error = parse("a", &text.replace('‸', "")).unwrap_err();
        assert_eq!((error.line, error.column), (expected.line, expected.column));
        assert!(
            error.message.contains(&format!("\"{kind}\" needs {key}")),
            "{error}"
        );
    }
    refused(
        "name = \"load\"",
        "name = ‸\"vibration\"",
        "a [[model]] has the name",
    );
}

#[test]
fn channels() {
    refused("\"accel_x\"", "‸\"../x\"", "name of an IIO channel");
    refused(
        "{ name = \"y\", source = \"accel_y\" }",
        "‸{ name = \"y\" }",
        "needs source",
    );
    refused(
        "{ name = \"force\", type = \"s24be\" }",
        "‸{ name = \"force\" }",
        "needs type",
    );
    refused(
        "name = \"y\"",
        "name = ‸\"x\"",
        "another channel of this sensor",
    );
    refused(
        "source = \"accel_y\"",
        "source = \"accel_y\", shift = ‸0",
        "shift goes with",
    );
    refused("shift = 4", "shift = ‸16", "expected 0 to 15 bits");
    refused("scale = 0.0625", "scale = ‸0", "not 0");
    refused("scale = 0.0625", "offset = ‸inf", "finite");
    refused("[-40, 125]", "‸[125, -40]", "least and the greatest");
    refused("\"°C\"", "‸\"degrees of Celsius\"", "at most 16 characters");
    let many: Vec<_> = (0..62)
        .map(|n| format!("{{ name = \"c{n}\", type = \"u8\" }}"))
        .collect();
    refused(
        "channel = [{ name = \"force\", type = \"s24be\" }]",
        &format!(
            "channel = [{}, ‸{}, {}]",
            many[..16].join(", "),
            many[16],
            many[17]
        ),
        "at most 16 are possible",
    );
}

#[test]
fn all_sensors_together_have_a_limit() {
    let sensor = |index: usize, channels: usize| {
        let channels = (0..channels).map(|c| format!("{{ name = \"c{c}\", source = \"c\" }}"));
        let channels: Vec<_> = channels.collect();
        format!(
            "[[sensor]]\nname = \"s{index}\"\nkind = \"iio\"\ndevice = \"d\"\nrate_hz = 1\nchannel = [{}]\n",
            channels.join(", ")
        )
    };
    let sensors: String = (0..4).map(|index| sensor(index, 16)).collect();
    let accepted = "[deadline]\nframe_to_action_ms = 1\n[recording]\ndirectory = \"/r\"\n";
    let accepted = accepted.to_owned() + &sensors;
    assert!(parse("a", &accepted).is_ok());
    let text = accepted + &sensor(4, 1);
    let error = parse("a", &text).unwrap_err();
    assert!(error.message.contains("at most 64 together"), "{error}");
    let lines = text.lines().count();
    assert_eq!((error.line, error.column), (lines, 12));
}
