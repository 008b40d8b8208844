//! Cameras: what `[camera]` can name, ask for and set.

use edgeai_camera::{Control, Listed};

/// Prints a camera for people.
pub fn print(camera: &Listed) {
    println!(
        "camera      {}: card:{} bus:{} ({})",
        camera.path, camera.card, camera.bus, camera.driver
    );
    if let Some(serial) = &camera.serial {
        println!("            serial:{serial}");
    }
    for format in &camera.formats {
        let Some(name) = format.name else { continue };
        if format.sizes.is_empty() {
            println!("            {name}");
        }
        for size in &format.sizes {
            println!(
                "            {name} {} @ {}",
                size.size,
                size.rates.join(", ")
            );
        }
    }
    let others = camera.formats.iter().filter(|format| format.name.is_none());
    let others: Vec<_> = others.map(|format| &*format.fourcc).collect();
    if !others.is_empty() {
        println!("            not usable: {}", others.join(" "));
    }
    for control in &camera.controls {
        println!("            {}", line(control));
    }
    if let Some(error) = &camera.error {
        println!("            {error}");
    }
}

/// `gain = 10 (0 to 100 in steps of 5, default 10)`
fn line(control: &Control) -> String {
    let value = control
        .value
        .map_or_else(|| "?".to_owned(), |value| value.to_string());
    let mut notes = vec![control.range(), format!("default {}", control.default)];
    if control.read_only {
        notes.push("read-only".into());
    }
    if control.inactive {
        notes.push("inactive".into());
    }
    format!("{} = {value} ({})", control.name, notes.join(", "))
}
