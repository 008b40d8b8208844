//! Every mistake, at its exact place.

mod complete;

use super::*;

const SAMPLE: &str = r#"# An appliance.
[camera]
device = "/dev/video0"
format = "YUYV"
size = [640, 480]
fps = 30

[model]
file = "ssd_mobilenet_v2_oidv4_int8"
accelerator = "auto"
threads = 2

[deadline]
frame_to_action_ms = 100
on_miss = "safe"

[realtime]
vision_priority = 50
signal_priority = 60

[[input]]
name = "door"
line = "gpiochip0:17"
edge = "both"
debounce_ms = 5

[[output]]
name = "stop"
line = "gpiochip0:23"
safe = "high"

[[output]]
name = "lamp"
line = "lamp"
safe = "low"

[[rule]]
name = "person-near-press"
when = { class = "Person", score = 0.5, hysteresis = 0.1, zone = [[0.2, 0.2], [0.8, 0.2], [0.8, 1.0]], for_ms = 200 }
then = { output = "stop", level = "high", hold_ms = 1000 }

[[rule]]
name = "door-open"
when = { input = "door", level = "high" }
then = { output = "stop", level = "high" }

[[service]]
name = "agent"
exec = ["/usr/bin/agent", "--quiet"]
"#;

#[test]
fn the_sample_is_read() {
    let appliance = parse("a.toml", SAMPLE).unwrap();
    assert_eq!(appliance.cameras[0].size, [640, 480]);
    assert_eq!(appliance.outputs[0].safe, Level::High);
    assert_eq!(appliance.rules[0].when.for_ms, 200);
    assert_eq!(appliance.rules[1].then.hold_ms, 0);
    assert_eq!(appliance.services[0].exec[1], "--quiet");
}

#[test]
fn defaults() {
    let text = "camera = { device = '/dev/video0', size = [320, 240] }\n\
                model = { file = 'm' }\n\
                deadline = { frame_to_action_ms = 100 }";
    let appliance = parse("a.toml", text).unwrap();
    assert_eq!(
        (appliance.cameras[0].format, appliance.cameras[0].fps),
        (None, 30)
    );
    assert_eq!(
        (
            &appliance.models[0].accelerator,
            appliance.models[0].threads
        ),
        (&Accelerator::Auto, 2)
    );
    assert_eq!(appliance.deadline.on_miss, OnMiss::Safe);
    assert_eq!(
        appliance.realtime,
        Realtime {
            vision_priority: 50,
            signal_priority: 60
        }
    );
    assert!(appliance.outputs.is_empty());
}

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    refused_in(SAMPLE, from, to, message);
}

/// Replaces `from` by `to`, in which `‸` marks where the error must stand.
#[track_caller]
fn refused_in(sample: &str, from: &str, to: &str, message: &str) {
    assert_eq!(sample.matches(from).count(), 1, "{from} is not unique");
    let marked = sample.replace(from, to);
    let expected = Position::of(&marked, marked.find('‸').expect("a mark"));
    let error = parse("a.toml", &marked.replace('‸', "")).expect_err("accepted");
    let prefix = format!("a.toml:{expected}: ");
    let text = error.to_string();
    assert!(text.starts_with(&prefix), "expected at {prefix}\n{text}");
    assert!(text.contains(message), "expected {message}\n{text}");
    assert_eq!((error.line, error.column), (expected.line, expected.column));
}

#[test]
fn a_place_is_what_it_says() {
    // One of them spelt out, so that the marks of the others can be trusted.
    let error = parse("a.toml", &SAMPLE.replace("fps = 30", "fps = 300")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.toml:6:7: 300 is out of range; expected 1 to 240 frames per second"
    );
}

#[test]
fn syntax() {
    refused("[camera]", "[camera‸", "not TOML: ");
    refused("fps = 30", "fps = 30\n‸fps = 31", "duplicate key");
    refused("fps = 30", "fps ‸30", "not TOML: ");
}

#[test]
fn keys() {
    refused(
        "fps = 30",
        "‸fsp = 30",
        "unknown key `fsp`, expected one of `name`, `device`, `format`, ",
    );
    refused(
        "[realtime]",
        "[‸realtme]",
        "unknown key `realtme`, expected one of `camera`, ",
    );
    refused(
        "hysteresis = 0.1",
        "‸hystersis = 0.1",
        "unknown key `hystersis`",
    );
    refused("hold_ms = 1000", "‸hold = 1000", "unknown key `hold`");
    refused(
        "edge = \"both\"",
        "‸edges = \"both\"",
        "correct or remove it",
    );
    refused(
        "[deadline]\nframe_to_action_ms = 100",
        "‸[deadline]",
        "missing key `frame_to_action_ms`",
    );
    let rule = "[[rule]]\nname = \"door-open\"\nwhen = { input = \"door\", level = \"high\" }";
    refused(
        rule,
        "‸[[rule]]\nname = \"door-open\"",
        "missing key `when`; add it here",
    );
}

#[test]
fn types() {
    refused(
        "fps = 30",
        "fps = ‸\"30\"",
        "camera.fps: invalid type: string \"30\", expected a whole number, 0 or more",
    );
    refused(
        "fps = 30",
        "fps = ‸-1",
        "camera.fps: invalid value: integer `-1`, expected a whole",
    );
    refused(
        "size = [640, 480]",
        "size = ‸[640]",
        "camera.size: invalid length 1",
    );
    refused(
        "size = [640, 480]",
        "size = [640, ‸true]",
        "camera.size[1]: invalid type",
    );
    refused(
        "score = 0.5",
        "score = ‸\"half\"",
        "rule[0].when.score: invalid type",
    );
    refused("[0.8, 0.2]", "[0.8, ‸\"x\"]", "rule[0].when.zone[1][1]: ");
    refused(
        "vision_priority = 50",
        "vision_priority = ‸256",
        "expected a whole number, 0 to 255",
    );
}

#[test]
fn shapes() {
    refused(
        "[deadline]",
        "‸[[deadline]]",
        "deadline: expected one [deadline]",
    );
    refused(
        "[[input]]",
        "‸[input]",
        "input: expected [[input]], with two brackets",
    );
    refused(
        "{ input = \"door\", level = \"high\" }",
        "‸\"x\"",
        "rule.when: expected a table",
    );
    let error = parse("a", "# none\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "a:1:1: missing key `deadline`; add it here"
    );
}

#[test]
fn words() {
    refused(
        "\"YUYV\"",
        "‸\"yuyv\"",
        "camera.format: unknown variant `yuyv`, expected one of `YUYV`, ",
    );
    refused(
        "\"auto\"",
        "‸\"gpu\"",
        "there is no accelerator \"gpu\"; expected auto, cpu, teflon, vx, edgetpu, ethosu or the absolute",
    );
    refused(
        "\"both\"",
        "‸\"any\"",
        "input[0].edge: unknown variant `any`, expected one of",
    );
    refused(
        "on_miss = \"safe\"",
        "on_miss = ‸\"stop\"",
        "deadline.on_miss: ",
    );
    refused("safe = \"low\"", "safe = ‸\"off\"", "output[1].safe: ");
}

#[test]
fn ranges() {
    refused("[640, 480]", "[640, ‸8193]", "expected 16 to 8192 pixels");
    refused("[640, 480]", "[‸15, 480]", "expected 16 to 8192");
    refused("[640, 480]", "[‸641, 480]", "even");
    refused("fps = 30", "fps = ‸0", "expected 1 to 240");
    refused("threads = 2", "threads = ‸17", "expected 1 to 16");
    refused(
        "frame_to_action_ms = 100",
        "frame_to_action_ms = ‸0",
        "1 to 60000 ms",
    );
    refused("debounce_ms = 5", "debounce_ms = ‸10001", "0 to 10000 ms");
    refused("score = 0.5", "score = ‸1.5", "0.0 to 1.0");
    refused("score = 0.5", "score = ‸nan", "0.0 to 1.0");
    refused("hysteresis = 0.1", "hysteresis = ‸-0.1", "0.0 to 1.0");
    refused(
        "score = 0.5, hysteresis = 0.1",
        "score = 0.5, hysteresis = ‸inf",
        "0.0 to 1.0",
    );
    refused(
        "hysteresis = 0.1",
        "hysteresis = ‸0.6",
        "must not be above the score",
    );
    refused("for_ms = 200", "for_ms = ‸3600001", "0 to 3600000 ms");
    refused("hold_ms = 1000", "hold_ms = ‸3600001", "0 to 3600000 ms");
    refused("signal_priority = 60", "signal_priority = ‸99", "1 to 98");
    refused("vision_priority = 50", "vision_priority = ‸0", "1 to 98");
    refused(
        "signal_priority = 60",
        "signal_priority = ‸50",
        "must be above vision_priority 50",
    );
}

#[test]
fn names() {
    let characters = "1 to 32 characters";
    refused("name = \"door\"", "name = ‸\"Door\"", characters);
    refused("name = \"door\"", "name = ‸\"\"", characters);
    refused("name = \"door-open\"", "name = ‸\"door_open\"", characters);
    refused(
        "\"agent\"",
        "‸\"012345678901234567890123456789012\"",
        characters,
    );
    refused(
        "name = \"lamp\"",
        "name = ‸\"stop\"",
        "another [[output]] has the name \"stop\"",
    );
    refused(
        "\"door-open\"",
        "‸\"person-near-press\"",
        "another [[rule]]",
    );
    refused(
        "output = \"stop\", level = \"high\" }",
        "output = ‸\"stpo\", level = \"high\" }",
        "there is no [[output]] \"stpo\"; there is stop, lamp",
    );
    refused(
        "input = \"door\"",
        "input = ‸\"gate\"",
        "there is no [[input]] \"gate\"; there is door",
    );
    refused(
        "\"ssd_mobilenet_v2_oidv4_int8\"",
        "‸\"../secret\"",
        "name of a directory",
    );
    for device in ["", "video0", "card:", "usb:1"] {
        let to = format!("‸\"{device}\"");
        refused("\"/dev/video0\"", &to, "expected an absolute path like");
    }
}

#[test]
fn lines() {
    refused(
        "\"gpiochip0:17\"",
        "‸\"gpiochip0:x\"",
        "like \"gpiochip0:17\"",
    );
    refused(
        "line = \"lamp\"",
        "line = ‸\"gpiochip0:23\"",
        "output \"stop\" has this line already",
    );
    refused(
        "line = \"lamp\"",
        "line = ‸\"gpiochip0:017\"",
        "input \"door\" has this line already",
    );
}

#[test]
fn conditions() {
    let when = "{ input = \"door\", level = \"high\" }";
    refused(
        when,
        "‸{ }",
        "expected a condition: one of crosses, class, ",
    );
    refused(when, "‸{ score = 0.5 }", "expected a condition");
    refused(when, "{ class = ‸\"Cat\" }", "needs a score");
    refused(when, "{ input = ‸\"door\" }", "needs a level");
    refused(
        when,
        "{ class = \"Cat\", score = 0.5, input = ‸\"door\", level = \"low\" }",
        "a condition has one kind, and class is there already; combine two by all",
    );
    refused(
        when,
        "{ class = \"Cat\", score = 0.5, level = ‸\"low\" }",
        "level goes with input only",
    );
    refused(
        when,
        "{ input = \"door\", level = \"low\", zone = ‸[[0, 0], [1, 0], [1, 1]] }",
        "zone goes with class only; remove it",
    );
    refused(
        when,
        "{ input = \"door\", level = \"low\", hysteresis = ‸0.0 }",
        "hysteresis goes with class or value only",
    );
    refused(
        "then = { output = \"stop\", level = \"high\" }",
        "then = { output = \"stop\", level = ‸\"low\" }",
        "rule \"person-near-press\" drives \"stop\" to the other level",
    );
}

#[test]
fn zones() {
    refused(
        "[[0.2, 0.2], [0.8, 0.2], [0.8, 1.0]]",
        "‸[[0.2, 0.2], [0.8, 0.2]]",
        "2 points",
    );
    refused("[0.8, 0.2]", "[‸1.8, 0.2]", "0.0 to 1.0");
    refused(
        "[[0.2, 0.2], [0.8, 0.2], [0.8, 1.0]]",
        "‸[[0.2, 0.2], [0.8, 0.2], [0.5, 0.2]]",
        "no area",
    );
    let many = "[0.5, 0.5], ".repeat(33);
    refused(
        "[[0.2, 0.2], [0.8, 0.2], [0.8, 1.0]]",
        &format!("‸[{many}]"),
        "33 points",
    );
}

#[test]
fn services() {
    refused(
        "[\"/usr/bin/agent\", \"--quiet\"]",
        "‸[]",
        "absolute program path",
    );
    refused(
        "[\"/usr/bin/agent\", \"--quiet\"]",
        "‸[\"agent\"]",
        "absolute program path",
    );
}

#[test]
fn all_mistakes_are_told_in_order() {
    let text = SAMPLE
        .replace("fps = 30", "fps = 0")
        .replace("score = 0.5", "score = 5")
        .replace("name = \"lamp\"", "name = \"stop\"");
    let errors = check("a", &text).unwrap_err();
    let found = errors
        .iter()
        .map(|error| text.lines().nth(error.line - 1).unwrap());
    let found: Vec<_> = found
        .map(|line| line.split_once(" = ").unwrap().0)
        .collect();
    assert_eq!(found, ["fps", "name", "when"]);
    assert!(errors.is_sorted_by_key(|error| error.line));
}

#[test]
fn too_many() {
    let mut text = SAMPLE.to_owned();
    for index in 2..32 {
        for part in ["[[output]]\nname = \"o", "\"\nsafe = \"low\"\nline = \"l"] {
            text += part;
            text += &index.to_string();
        }
        text += "\"\n";
    }
    assert!(parse("a", &text).is_ok());
    let line = text.lines().count() + 1;
    text += "[[output]]\nname = \"last\"\nline = \"last\"\nsafe = \"low\"\n";
    let error = parse("a", &text).unwrap_err();
    assert_eq!((error.line, error.column), (line, 1), "{error}");
    assert!(error.message.contains("at most 32"));
}

#[test]
fn no_input_makes_it_panic() {
    // Every truncation, and every byte replaced by each of a few that mean something.
    for end in (0..SAMPLE.len()).filter(|&end| SAMPLE.is_char_boundary(end)) {
        _ = check("a", &SAMPLE[..end]);
    }
    let mut state = 1u64;
    for place in 0..SAMPLE.len() {
        for new in ["[", "\"", "=", "\n", "9", "ö", ""] {
            let mut text = SAMPLE.to_owned();
            text.replace_range(place..=place, new);
            // A second, pseudo-random one (Knuth's MMIX generator).
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let mut second = usize::try_from(state >> 33).unwrap() % text.len();
            while !text.is_char_boundary(second) {
                second -= 1;
            }
            text.insert_str(second, new);
            if let Err(errors) = check("a", &text) {
                assert!(
                    errors
                        .iter()
                        .all(|error| error.line > 0 && error.column > 0)
                );
            }
        }
    }
    _ = check("a", &"[".repeat(100_000));
    _ = check("a", &format!("x = {}", "[".repeat(100_000)));
    _ = check("a", &"a.".repeat(50_000));
}
