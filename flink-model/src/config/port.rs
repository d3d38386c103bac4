//! Ports, ranges of ports and lists of both, as Flink accepts them.

use super::typed::FromValue;
use super::{FileFormat, Value};

/// A port. 0 stands for any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

/// A list of ports and of ranges of ports. 0 stands for any free port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortList(Vec<(u16, u16)>);

const PORT: &str = "ports go from 0 to 65535, and 0 is any";

fn number(text: &str) -> Result<u16, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("{text:?} is no port: {PORT}"))
}

impl FromValue for Port {
    const EXPECTED: &'static str = "a port";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        number(&value.text()).map(Self)
    }
}

impl FromValue for PortList {
    const EXPECTED: &'static str = "a port, a range or a list of them (50100-50200,50300)";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        let range = |part: &str| {
            let Some((first, last)) = part.split_once('-') else {
                return number(part).map(|port| (port, port));
            };
            let (first, last) = (number(first)?, number(last)?);
            if first < last {
                Ok((first, last))
            } else {
                Err(format!("the range {} ends where it begins, or before", part.trim()))
            }
        };
        value.text().split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}
