//! Splits environment variables into plain ones and secrets, for a process that is started by another program.

use super::{Environment, error::ConfigError, show::is_secret, sources::key_of};

#[derive(Default)]
pub struct SplitSecrets {
    pub plain: Vec<(String, String)>,
    /// Secrets, and contents of local files (`NAME_FILE`), which the other process cannot read.
    pub secret: Vec<(String, String)>,
}

impl Environment {
    /// # Errors
    /// If the file of a `NAME_FILE` variable cannot be read.
    pub fn split_secrets(&self) -> Result<SplitSecrets, ConfigError> {
        let mut split = SplitSecrets::default();
        for (name, value) in self.pairs() {
            match name.strip_suffix("_FILE") {
                // NAME takes precedence over NAME_FILE.
                Some(base) if key_of(base).is_some() && self.pairs().any(|(other, _)| other == base) => (),
                Some(base) if key_of(base).is_some() => {
                    split.secret.extend(self.read(base)?.map(|value| (base.to_owned(), value)));
                }
                _ => {
                    let part = match key_of(name).is_some_and(|key| is_secret(&key)) {
                        true => &mut split.secret,
                        false => &mut split.plain,
                    };
                    part.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_and_contents_of_files_are_separated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("value");
        fs::write(&file, "from a file\n").unwrap();
        let file = file.display().to_string();
        let environment = Environment::from_pairs([
            ("LOG_LEVEL", "debug"),
            ("TZ", "UTC"),
            ("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:1"),
            ("KEYS_FILE", "unrelated"),
            ("SECRET_KEY", "s"),
            ("BA_COPILOT__MCP__TOKEN", "t"),
            ("BACKUP_PASSPHRASE_FILE", &file),
            ("BA_COPILOT__SERVER__PROXIES_FILE", &file),
            ("SECRET_KEY_FILE", "/not/read"),
        ]);
        let SplitSecrets { plain, secret } = environment.split_secrets().unwrap();
        let names = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&plain),
            ["BA_COPILOT__SERVER__LISTEN=0.0.0.0:1", "KEYS_FILE=unrelated", "LOG_LEVEL=debug", "TZ=UTC"]
        );
        assert_eq!(
            names(&secret),
            [
                "BACKUP_PASSPHRASE=from a file",
                "BA_COPILOT__MCP__TOKEN=t",
                "BA_COPILOT__SERVER__PROXIES=from a file",
                "SECRET_KEY=s"
            ]
        );
        let missing = Environment::from_pairs([("SECRET_KEY_FILE", "/not/there")]);
        assert!(missing.split_secrets().err().unwrap().to_string().contains("/not/there"));
    }
}
