//! The defaults of new files and directories, which Hadoop's own client takes from the configuration.
//! `Storage` fills them in wherever its caller states no value, because hdfs-native has defaults of its own.

use hadoop_rpc::{ConfError, HadoopConf};

/// Defaults of new files and directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) replication: u32,
    /// The size of a block in bytes.
    pub(crate) block_size: u64,
    umask: u16,
}

impl Defaults {
    pub(crate) fn read(conf: &HadoopConf) -> Result<Self, ConfError> {
        let replication = conf.get_i64("dfs.replication", 3)?;
        let key = "fs.permissions.umask-mode";
        let text = conf.get_or(key, "022")?;
        let umask = parse_umask(&text).ok_or_else(|| ConfError::Value {
            key: key.into(),
            value: text,
            origin: conf.origin(key).map(ToString::to_string).unwrap_or_default(),
            why: "expected an octal number (022) or symbols (u=rwx,g=rx,o=)".into(),
        })?;
        Ok(Self {
            replication: u32::try_from(replication).unwrap_or(3).max(1),
            block_size: conf.get_bytes("dfs.blocksize", 128 << 20)?,
            umask,
        })
    }

    pub(crate) fn file_mode(&self, wanted: Option<u16>) -> u32 {
        u32::from(wanted.unwrap_or(0o666 & !self.umask))
    }

    pub(crate) fn directory_mode(&self, wanted: Option<u16>) -> u32 {
        u32::from(wanted.unwrap_or(0o777 & !self.umask))
    }
}

/// Reads a umask as Hadoop does: an octal number of the bits that are removed, or symbols such as
/// `u=rwx,g=rx,o=` that name the permissions that are *kept*.
fn parse_umask(text: &str) -> Option<u16> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return u16::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777);
    }
    let mut mask = 0o777;
    for clause in text.split(',') {
        let (who, allowed) = clause.trim().split_once('=')?;
        let mut bits = 0;
        for c in allowed.chars() {
            bits |= match c {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                '-' => 0,
                _ => return None,
            };
        }
        for c in who.chars() {
            let places: &[u16] = match c {
                'u' => &[6],
                'g' => &[3],
                'o' => &[0],
                'a' => &[6, 3, 0],
                _ => return None,
            };
            places.iter().for_each(|place| mask = mask & !(7 << place) | (7 & !bits) << place);
        }
    }
    Some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umasks() {
        assert_eq!(parse_umask("022"), Some(0o022));
        assert_eq!(parse_umask(" 77 "), Some(0o077));
        assert_eq!(parse_umask("u=rwx,g=rx,o="), Some(0o027));
        assert_eq!(parse_umask("u=rwx,go=r-x"), Some(0o022));
        assert_eq!(parse_umask("a=rwx"), Some(0));
        for bad in ["", "9", "1777", "u", "u=q", "z=r", "u+r"] {
            assert_eq!(parse_umask(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_configuration() {
        let none = Defaults::read(&HadoopConf::default()).unwrap();
        assert_eq!((none.replication, none.block_size), (3, 128 << 20));
        assert_eq!((none.file_mode(None), none.directory_mode(None)), (0o644, 0o755));
        assert_eq!((none.file_mode(Some(0o600)), none.directory_mode(Some(0o700))), (0o600, 0o700));
        let conf = HadoopConf::from_map([
            ("dfs.replication", "2"),
            ("dfs.blocksize", "64m"),
            ("fs.permissions.umask-mode", "027"),
        ]);
        let some = Defaults::read(&conf).unwrap();
        assert_eq!((some.replication, some.block_size, some.file_mode(None)), (2, 64 << 20, 0o640));
        let bad = HadoopConf::from_map([("fs.permissions.umask-mode", "rwx")]);
        assert!(Defaults::read(&bad).unwrap_err().to_string().contains("umask-mode = 'rwx'"));
    }
}
