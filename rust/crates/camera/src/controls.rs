//! Exposure, gain and the like: named as `v4l2-ctl` names them, checked before they are set.

use crate::ioctl::{
    G_EXT_CTRLS, QUERY_EXT_CTRL, QUERYMENU, S_EXT_CTRLS, Zeroed, exchange_control, ioctl, text,
};
use crate::node::Node;
use serde::Serialize;
use std::collections::BTreeMap;
use v4l::v4l_sys::{
    V4L2_CTRL_FLAG_DISABLED, V4L2_CTRL_FLAG_INACTIVE, V4L2_CTRL_FLAG_NEXT_CTRL,
    V4L2_CTRL_FLAG_READ_ONLY, V4L2_CTRL_FLAG_WRITE_ONLY,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_BITMASK as TYPE_BITMASK,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN as TYPE_BOOLEAN,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON as TYPE_BUTTON,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER as TYPE_INTEGER,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU as TYPE_INTEGER_MENU,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64 as TYPE_INTEGER64,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU as TYPE_MENU, v4l2_query_ext_ctrl, v4l2_querymenu,
};

/// Bound for drivers that never say that there is no more.
const MAX_CONTROLS: usize = 1024;
/// Bound for the items of a menu.
const MAX_ITEMS: i64 = 256;

/// A control of a camera whose value is a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    #[serde(skip)]
    id: u32,
    /// As in the configuration and in `v4l2-ctl`: lower case, `_` for all that is no letter or digit.
    pub name: String,
    /// What the number means.
    pub kind: ControlKind,
    /// Least value.
    pub min: i64,
    /// Greatest value; of a bit mask all bits that may be set.
    pub max: i64,
    /// Values are `min` plus a multiple of this.
    pub step: u64,
    /// The driver's own.
    pub default: i64,
    /// Now; absent if it cannot be read.
    pub value: Option<i64>,
    /// The items of a menu, by value; a menu may have gaps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<(i64, String)>,
    /// It cannot be set.
    pub read_only: bool,
    /// It has no effect now, because another control, such as an automatic mode, rules it.
    pub inactive: bool,
}

/// Kinds of control (kernel, `vidioc-queryctrl.rst`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// A number of 32 bits.
    Integer,
    /// A number of 64 bits.
    Integer64,
    /// 0 or 1.
    Boolean,
    /// One of several named items.
    Menu,
    /// One of several numbers, chosen by its index.
    IntegerMenu,
    /// 32 bits that may be set or not.
    Bitmask,
    /// Does something when it is set, to whatever value.
    Button,
}

/// The name as `v4l2-ctl` forms it.
fn normalise(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_ascii_lowercase()
}

/// All controls that are numbers, in the driver's order.
pub fn query(node: &dyn Node) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut id = 0;
    for _ in 0..MAX_CONTROLS {
        let mut raw = v4l2_query_ext_ctrl::zeroed();
        raw.id = id | V4L2_CTRL_FLAG_NEXT_CTRL;
        if ioctl(node, &QUERY_EXT_CTRL, &mut raw).is_err() || raw.id <= id {
            break;
        }
        id = raw.id;
        controls.extend(describe(node, &raw));
    }
    controls
}

/// `None` for the title of a class, a text, a compound, and what is disabled.
fn describe(node: &dyn Node, raw: &v4l2_query_ext_ctrl) -> Option<Control> {
    let kind = match raw.type_ {
        TYPE_INTEGER => ControlKind::Integer,
        TYPE_INTEGER64 => ControlKind::Integer64,
        TYPE_BOOLEAN => ControlKind::Boolean,
        TYPE_MENU => ControlKind::Menu,
        TYPE_INTEGER_MENU => ControlKind::IntegerMenu,
        TYPE_BITMASK => ControlKind::Bitmask,
        TYPE_BUTTON => ControlKind::Button,
        _ => return None,
    };
    if raw.flags & V4L2_CTRL_FLAG_DISABLED != 0 || raw.nr_of_dims != 0 {
        return None;
    }
    let name = raw.name.map(|letter| letter.to_ne_bytes()[0]);
    let mut control = Control {
        id: raw.id,
        name: normalise(&text(&name)),
        kind,
        min: raw.minimum,
        max: raw.maximum,
        step: raw.step.max(1),
        default: raw.default_value,
        value: None,
        items: Vec::new(),
        read_only: raw.flags & V4L2_CTRL_FLAG_READ_ONLY != 0,
        inactive: raw.flags & V4L2_CTRL_FLAG_INACTIVE != 0,
    };
    if raw.flags & V4L2_CTRL_FLAG_WRITE_ONLY == 0 && kind != ControlKind::Button {
        control.value = control.exchange(node, None).ok();
    }
    if matches!(kind, ControlKind::Menu | ControlKind::IntegerMenu) {
        let last = control.max.min(control.min.saturating_add(MAX_ITEMS));
        control.items = (control.min..=last)
            .filter_map(|index| Some((index, item(node, &control, index)?)))
            .collect();
    }
    Some(control)
}

/// The name of a menu's item; `None` if there is none: menus may have gaps.
fn item(node: &dyn Node, control: &Control, index: i64) -> Option<String> {
    let mut menu = v4l2_querymenu::zeroed();
    menu.id = control.id;
    menu.index = u32::try_from(index).ok()?;
    ioctl(node, &QUERYMENU, &mut menu).ok()?;
    // `struct v4l2_querymenu` is packed: its members are copied, not borrowed.
    let union = menu.__bindgen_anon_1;
    // SAFETY: all members of the union are integers; the control's type says which is filled in.
    Some(unsafe {
        match control.kind {
            ControlKind::IntegerMenu => union.value.to_string(),
            _ => text(&union.name),
        }
    })
}

/// Sets controls by name. What chooses modes (menus, switches) comes first, buttons last: numbers
/// such as an exposure time can only be set once the automatic mode is off.
///
/// # Errors
/// One line: no such control and which there are, a value out of range and the range, or why
/// the driver refuses.
pub fn set(node: &dyn Node, wanted: &BTreeMap<String, i64>) -> Result<(), String> {
    if wanted.is_empty() {
        return Ok(());
    }
    let controls = query(node);
    let mut plan = Vec::new();
    for (name, &value) in wanted {
        let Some(control) = controls.iter().find(|control| control.name == *name) else {
            let names: Vec<_> = controls.iter().map(|control| &*control.name).collect();
            return Err(match names[..] {
                [] => format!("no control {name}; it has none"),
                _ => format!("no control {name}; it has {}", names.join(", ")),
            });
        };
        control.check(value)?;
        let turn = match control.kind {
            ControlKind::Menu | ControlKind::IntegerMenu | ControlKind::Boolean => 0,
            ControlKind::Integer | ControlKind::Integer64 | ControlKind::Bitmask => 1,
            ControlKind::Button => 2,
        };
        plan.push((turn, control, value));
    }
    plan.sort_by_key(|&(turn, ..)| turn);
    for (_, control, value) in plan {
        control.exchange(node, Some(value)).map_err(|error| {
            let inactive = query(node)
                .iter()
                .any(|now| now.id == control.id && now.inactive);
            let hint = if inactive {
                " (inactive: another control, such as an automatic mode, rules it)"
            } else {
                ""
            };
            format!("control {} = {value}: {error}{hint}", control.name)
        })?;
    }
    Ok(())
}

impl Control {
    fn exchange(&self, node: &dyn Node, value: Option<i64>) -> std::io::Result<i64> {
        let request = match value {
            Some(_) => &S_EXT_CTRLS,
            None => &G_EXT_CTRLS,
        };
        let wide = self.kind == ControlKind::Integer64;
        let now = exchange_control(node, request, self.id, value.unwrap_or(0), wide)?;
        Ok(match self.kind {
            ControlKind::Bitmask => now & 0xffff_ffff,
            _ => now,
        })
    }

    /// The values it takes, for people: `0 to 100 in steps of 5`, `1 (Manual Mode), 3 (Auto)`.
    #[must_use]
    pub fn range(&self) -> String {
        let Self { min, max, step, .. } = self;
        match self.kind {
            ControlKind::Menu | ControlKind::IntegerMenu => {
                let items = self.items.iter();
                let items: Vec<_> = items
                    .map(|(index, name)| format!("{index} ({name})"))
                    .collect();
                items.join(", ")
            }
            ControlKind::Bitmask => format!("any of the bits {:#x}", max & 0xffff_ffff),
            ControlKind::Button => "any value".into(),
            _ if *step == 1 => format!("{min} to {max}"),
            _ => format!("{min} to {max} in steps of {step}"),
        }
    }

    /// Drivers round what is out of range instead of refusing it.
    fn check(&self, value: i64) -> Result<(), String> {
        if self.read_only {
            return Err(format!("control {} can only be read", self.name));
        }
        let possible = match self.kind {
            ControlKind::Button => true,
            ControlKind::Bitmask => value & !(self.max & 0xffff_ffff) == 0,
            ControlKind::Menu | ControlKind::IntegerMenu => {
                self.items.iter().any(|&(index, _)| index == value)
            }
            _ => {
                let in_range = (self.min..=self.max).contains(&value);
                in_range && value.abs_diff(self.min).is_multiple_of(self.step)
            }
        };
        if possible {
            return Ok(());
        }
        let (name, range) = (&self.name, self.range());
        Err(format!("control {name} = {value}: possible is {range}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        assert_eq!(
            normalise("Exposure Time, Absolute"),
            "exposure_time_absolute"
        );
        assert_eq!(
            normalise("White Balance, Automatic"),
            "white_balance_automatic"
        );
        assert_eq!(normalise("  S-Video (2) "), "s_video_2");
        assert_eq!(normalise("Integer 64 Bits"), "integer_64_bits");
        assert_eq!(normalise("--"), "");
    }

    fn control(kind: ControlKind, min: i64, max: i64, step: u64) -> Control {
        Control {
            id: 1,
            name: "gain".into(),
            kind,
            min,
            max,
            step,
            default: min,
            value: Some(min),
            items: Vec::new(),
            read_only: false,
            inactive: false,
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        let gain = control(ControlKind::Integer, -8, 7, 3);
        assert!(gain.check(-8).is_ok() && gain.check(7).is_ok() && gain.check(-2).is_ok());
        for value in [8, -9, 0] {
            assert_eq!(
                gain.check(value).unwrap_err(),
                format!("control gain = {value}: possible is -8 to 7 in steps of 3")
            );
        }
        let whole = control(ControlKind::Integer64, i64::MIN, i64::MAX, 1);
        assert!(whole.check(i64::MIN).is_ok() && whole.check(i64::MAX).is_ok());
        let bits = control(ControlKind::Bitmask, 0, 0x8000_0003, 1);
        assert!(bits.check(0x8000_0002).is_ok());
        assert!(bits.check(4).unwrap_err().ends_with("bits 0x80000003"));
        assert!(bits.check(-1).is_err());
        let mut menu = control(ControlKind::Menu, 0, 3, 1);
        menu.items = vec![(1, "Manual Mode".into()), (3, "Aperture Priority".into())];
        assert!(menu.check(3).is_ok());
        let error = menu.check(2).unwrap_err();
        assert!(error.ends_with("possible is 1 (Manual Mode), 3 (Aperture Priority)"));
        menu.read_only = true;
        assert_eq!(menu.check(3).unwrap_err(), "control gain can only be read");
    }
}
