//! Rules, and what there must be at all.

use super::*;

#[test]
fn combinations() {
    let not = "{ not = { input = \"button\", level = \"high\", for_ms = 10 } }";
    refused(not, "‸{ for_ms = 10 }", "expected a condition");
    refused(not, "{ not = ‸{ } }", "expected a condition");
    refused(
        not,
        "{ input = \"button\", level = \"low\", not = ‸{ } }",
        "one kind, and input",
    );
    refused(not, "{ all = ‸[] }", "0 conditions; expected 1 to 16");
    let leaf = "{ input = \"button\", level = \"high\" }";
    // Two levels are there already.
    let four = COMPLETE.replace(not, &format!("{{ not = {{ any = [{leaf}] }} }}"));
    assert!(parse("a", &four).is_ok());
    refused(
        not,
        &format!("{{ not = {{ any = [{{ not = ‸{leaf} }}] }} }}"),
        "at most 4 deep",
    );
}

#[test]
fn too_many_conditions() {
    let odd = "when = { value = \"vibration.anomaly\", below = -1 }";
    let leaf = "{ input = \"button\", level = \"high\" }";
    let any = |count: usize| format!("{{ any = [{}] }}", vec![leaf; count].join(", "));
    // With `all` and each `any` themselves: 1 + 3 * 17 + 12.
    let most = [any(16), any(16), any(16), any(11)].join(", ");
    let accepted = COMPLETE.replace(odd, &format!("when = {{ all = [{most}] }}"));
    assert!(parse("a", &accepted).is_ok());
    refused(
        odd,
        &format!("when = ‸{{ all = [{most}, {leaf}] }}"),
        "more than 64 conditions",
    );
    refused(
        odd,
        &format!("when = {{ any = ‸[{}] }}", vec![leaf; 17].join(", ")),
        "17 conditions; expected 1 to 16",
    );
}

#[test]
fn detections_and_crossings() {
    refused("count = 2", "count = ‸0", "1 to 100");
    refused(
        "zone = [[0, 0], [1, 0], [1, 1]], point = \"",
        "point = ‸\"",
        "needs a zone",
    );
    refused(
        "model = \"people\", zone",
        "model = ‸\"peple\", zone",
        "there is people, vibration",
    );
    refused(
        "class = \"Person\", score = 0.5, model = \"people\"",
        "class = ‸\"Person\", score = 0.5",
        "add model = \"…\" to say which; there is people, vibration",
    );
    refused(
        "[[0.5, 0], [0.5, 1]]",
        "‸[[0.5, 1], [0.5, 1]]",
        "two different points",
    );
    refused(
        "[[0.5, 0], [0.5, 1]]",
        "[[0.5, 0], [0.5, ‸2]]",
        "0.0 to 1.0",
    );
    refused(
        "\"left-to-right\"",
        "\"left-to-right\", for_ms = ‸5",
        "a crossing lasts one frame",
    );
    refused(
        "\"left-to-right\"",
        "\"left-to-right\", count = ‸5",
        "count goes with class only",
    );
    refused(
        "score = 0.25, model = \"people\"",
        "score = ‸25, model = \"people\"",
        "0.0 to 1.0",
    );
    refused(
        "crosses = [[0.5, 0], [0.5, 1]], direction = \"left-to-right\", class = \"Person\", score = 0.25, model = \"people\"",
        "crosses = ‸[[0.5, 0], [0.5, 1]], model = \"vibration\"",
        "add track = {}",
    );
    refused(
        " below = -1 }",
        " below = -1, direction = ‸\"left-to-right\" }",
        "direction goes with crosses",
    );
}

#[test]
fn values() {
    refused("\"motor.x\"", "‸\"motor\"", "like \"motor.vibration\"");
    refused("\"motor.x\"", "‸\"motor.\"", "like \"motor.vibration\"");
    refused(
        "\"motor.x\"",
        "‸\"motor.z\"",
        "has no channel \"z\"; it has x, y",
    );
    refused(
        "\"motor.x\"",
        "‸\"moto.x\"",
        "there is motor, room, load, people, vibration",
    );
    refused("above = 12.5", "above = 12.5, below = ‸1", "two conditions");
    refused("above = 12.5", "above = ‸nan", "finite");
    refused(
        "value = \"vibration.anomaly\", below = -1",
        "value = ‸\"vibration.anomaly\"",
        "needs above or below",
    );
    refused("hysteresis = 2", "hysteresis = ‸-2", "out of range");
    refused(
        "over_ms = 1000, statistic = \"rms\"",
        "over_ms = ‸1000",
        "needs a statistic",
    );
    refused(
        "over_ms = 1000, statistic = \"rms\"",
        "statistic = ‸\"rms\"",
        "needs over_ms",
    );
    refused("over_ms = 1000", "over_ms = ‸60001", "1 to 60000 ms");
}

#[test]
fn times() {
    refused("\"22:00\"", "‸\"24:00\"", "a time of day");
    refused("\"22:00\"", "‸\"22.00\"", "a time of day");
    refused("\"06:00\"", "‸\"6:00\"", "a time of day");
    refused(
        "[\"22:00\", \"06:00\"]",
        "‸[\"06:00\", \"06:00\"]",
        "the same",
    );
    refused("[\"sat\", \"sun\"]", "‸[]", "at least one day");
    assert!(parse("a", &COMPLETE.replace("06:00", "24:00")).is_ok());
}

#[test]
fn actions() {
    let stop = "{ output = \"stop\", level = \"high\", latch = true, reset = \"button\", log = \"stopped\" }";
    refused(stop, "‸{ }", "nothing is done");
    refused(stop, "‸{ telemetry = false }", "nothing is done");
    refused(stop, "{ output = ‸\"stop\" }", "needs a level");
    refused(
        stop,
        "{ level = ‸\"high\", log = \"x\" }",
        "level goes with output only",
    );
    refused(stop, "{ log = \"x\", latch = ‸true }", "needs reset");
    refused(
        stop,
        "{ log = \"x\", reset = ‸\"button\" }",
        "reset goes with latch",
    );
    refused(
        stop,
        "{ log = \"x\", latch = true, reset = ‸\"key\" }",
        "there is button",
    );
    refused(
        stop,
        "{ log = \"x\", latch = true, reset = \"button\", hold_ms = ‸1 }",
        "hold_ms goes with a rule without latch only",
    );
    refused(stop, "{ log = ‸\"\" }", "1 to 200 characters");
    refused(stop, "{ log = ‸\"a\\nb\" }", "1 to 200 characters");
    refused(stop, "{ count = ‸\"No\" }", "a name has");
    refused(
        "cooldown_ms = 50",
        "cooldown_ms = ‸3600001",
        "0 to 3600000 ms",
    );
    refused(
        "then = { output = \"horn\", level = \"high\" }",
        "then = { output = \"horn\", level = ‸\"low\" }",
        "rule \"rough\" drives \"horn\" to the other level",
    );
}

#[test]
fn recordings() {
    refused("\"/data/recordings\"", "‸\"recordings\"", "absolute");
    refused("file_mib = 16", "file_mib = ‸0", "1 to 65536 MiB");
    refused("files = 8", "files = ‸1001", "1 to 1000");
}

#[test]
fn an_appliance_has_something_to_do() {
    let deadline = "deadline = { frame_to_action_ms = 1 }\n";
    let camera = "camera = { device = '/dev/video0', size = [64, 64] }\n";
    let recording = "recording = { directory = '/r' }\n";
    let sensor = "sensor = [{ name = 's', kind = 'iio', device = 'd', rate_hz = 1, channel = [{ name = 'c', source = 'c' }] }]\n";
    let rule =
        "rule = [{ name = 'r', when = { value = 's.c', above = 1 }, then = { log = 'high' } }]\n";
    for (parts, accepted) in [
        (&[][..], false),
        (&[camera], false),
        (&[recording], false),
        (&[camera, recording], true),
        (&[sensor], false),
        (&[sensor, rule], true),
        (&[sensor, recording], true),
        (&[camera, sensor, rule], true),
    ] {
        let text = format!("{deadline}{}", parts.concat());
        match parse("a", &text) {
            Ok(_) => assert!(accepted, "{text}"),
            Err(error) => {
                assert!(!accepted, "{error}");
                assert!(
                    error.to_string().starts_with("a:1:1: nothing to do"),
                    "{error}"
                );
            }
        }
    }
    let text = format!("{deadline}{sensor}model = {{ file = 'm' }}");
    let error = parse("a", &text).unwrap_err().to_string();
    assert_eq!(
        error,
        "a:3:9: there is no [camera]; add one, or sensor = \"…\" here"
    );
}
