//! Descriptions for the tests of this module's parts.

use edgeai_config::{Channel, Sensor, SensorKind};

pub fn channel(name: &str, source: &str) -> Channel {
    Channel {
        name: name.into(),
        source: Some(source.into()),
        register: Vec::new(),
        sample: None,
        shift: 0,
        offset: 0.0,
        scale: 1.0,
        unit: "m/s²".into(),
        range: None,
    }
}

pub fn sensor(kind: SensorKind, device: &str, channels: Vec<Channel>) -> Sensor {
    Sensor {
        name: "motor".into(),
        kind,
        device: device.into(),
        address: None,
        speed_hz: None,
        spi_mode: 0,
        rate_hz: 100.0,
        buffered: false,
        setup: Vec::new(),
        timeout_ms: None,
        on_fault: edgeai_config::OnFault::Unknown,
        channels,
    }
}
