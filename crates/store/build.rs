//! Lists the migrations, so that a new one is two files and no line of code.

#![expect(clippy::disallowed_methods, reason = "the interface to cargo")]

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=migrations");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("migrations");
    let mut names = Vec::new();
    for file in fs::read_dir(folder.join("sqlite"))? {
        let name =
            file?.file_name().into_string().map_err(|name| format!("{name:?} is no name of a migration"))?;
        names.push(name.strip_suffix(".sql").ok_or_else(|| format!("{name} is no migration"))?.to_owned());
    }
    names.sort();
    let mut steps = "&[".to_owned();
    for name in names {
        let version: i64 = name.split('_').next().unwrap_or_default().parse()?;
        // A name without its twin in the other folder does not compile.
        let path = |database: &str| folder.join(database).join(format!("{name}.sql"));
        let (sqlite, postgres) = (path("sqlite"), path("postgres"));
        write!(
            steps,
            "Step {{ version: {version}, name: {name:?}, sqlite: include_str!({sqlite:?}), postgres: \
             include_str!({postgres:?}) }},"
        )?;
    }
    steps.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("steps.rs"), steps)?;
    Ok(())
}
