//! Settings as redis.conf has them, one a line, and as arguments: the network's, and the store's.

use std::net::IpAddr;

use super::settings::{NotSet, Settings};
use crate::aof::words;
use crate::store::Options;

/// Everything that can be set at the start.
#[derive(Debug, Clone, Default)]
pub struct Conf {
    /// The network side.
    pub net: Settings,
    /// The store.
    pub store: Options,
    /// Where to listen, if it is said: `port` …
    pub port: Option<u16>,
    /// … and `bind`.
    pub bind: Vec<IpAddr>,
    /// Save points that were given; they add up.
    save: Option<Vec<u8>>,
}

impl Conf {
    /// Takes the settings of a redis.conf. What is not known here is passed over: it is about something
    /// that is not here.
    ///
    /// # Errors
    /// The line, counted from 1, and what is wrong with it.
    pub fn read(&mut self, text: &[u8]) -> Result<(), (usize, String)> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at = |why: &str| (index + 1, why.to_owned());
            let words = words::split(line).ok_or_else(|| at("quotes that do not match"))?;
            if let Some((name, values)) = words.split_first() {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                self.set(&name, &values.join(&b' ')).map_err(|why| at(&why))?;
            }
        }
        Ok(())
    }

    /// Sets one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let shown = || value.escape_ascii().to_string();
        let none = || format!("{name}: {} is none of its values", shown());
        let text = std::str::from_utf8(value).unwrap_or_default();
        match name {
            "port" => self.port = Some(text.parse().map_err(|_| none())?),
            "bind" => {
                // `-` before an address: it need not be there. `*` is every one.
                let address = |word: &str| match word {
                    "*" => Ok(IpAddr::from([0, 0, 0, 0])),
                    "-::*" => Err(none()),
                    word => word.trim_start_matches('-').parse().map_err(|_| none()),
                };
                let words = text.split_whitespace().filter(|word| *word != "-::*");
                self.bind = words.map(address).collect::<Result<_, _>>()?;
            }
            "include" => return Err(format!("include {}: name that file instead", shown())),
            "save" if value.is_empty() => {
                self.save = Some(Vec::new());
                self.store.set(name, value).ok_or_else(none)?;
            }
            "save" => {
                let mut all = self.save.take().unwrap_or_default();
                all.push(b' ');
                all.extend_from_slice(value);
                self.store.set(name, &all).ok_or_else(none)?;
                self.save = Some(all);
            }
            _ => match self.net.set(name, value) {
                Ok(()) => {}
                Err(NotSet::Value) => return Err(none()),
                Err(NotSet::Unknown) => self.store.set(name, value).ok_or_else(none)?,
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::{Fsync, SavePoint};

    #[test]
    fn a_configuration() {
        let text = b"# made by hand\nport 7000\nbind 127.0.0.1 -::1\nrequirepass \"a b\"\n\
            save 900 1\nsave 60 10 30 100\nappendfsync always\ntls-port 0\nmaxclients 7\n";
        let mut conf = Conf::default();
        conf.read(text).unwrap();
        assert_eq!((conf.port, conf.bind.len(), conf.net.max_clients), (Some(7000), 2, 7));
        assert_eq!(conf.net.password.as_deref(), Some(&b"a b"[..]));
        let point = |seconds, changes| SavePoint { seconds, changes };
        assert_eq!(conf.store.save, [point(900, 1), point(60, 10), point(30, 100)]);
        assert_eq!(conf.store.fsync, Fsync::Always);
        conf.read(b"save \"\"\n").unwrap();
        assert_eq!(conf.store.save, []);
        for (text, line) in
            [("\nport x", 2), ("maxclients 0", 1), ("include /etc/x", 1), ("a \"b", 1)]
        {
            assert_eq!(Conf::default().read(text.as_bytes()).unwrap_err().0, line, "{text}");
        }
    }
}
