//! `dist`: the release, built reproducibly: another build of the same commit gives the same bytes.
//!
//! Into `target/dist`: the program, linked statically; an archive of it with everything that an operator needs; a
//! container image (`docker load`); the bill of materials (CycloneDX); checksums of all. None of them holds the build
//! folder, the time or the machine. `--check-reproducible` builds two clones in two folders and compares.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, program, root};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What an operator needs besides the program.
const BESIDE: [&str; 9] = [
    ".env.production.example",
    "CHANGELOG.md",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "NOTICE",
    "README.md",
    "docs",
    "infra",
];

pub(crate) fn run() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => build(&root()),
        ["--check-reproducible"] => check_reproducible(),
        other => Err(format!("dist knows --check-reproducible, and not {}", other.join(" "))),
    }
}

fn build(root: &Path) -> Outcome {
    let out = root.join("target/dist");
    let moment = output_of(root, "git", &["log", "-1", "--format=%ct"]).unwrap_or_else(|_| "0".to_owned());
    compile(root, &moment)?;
    // Cargo leaves empty folders of its own there.
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let built = root.join("target").join(TARGET).join("dist/ba-copilot");
    let binary = out.join("ba-copilot");
    fs::copy(&built, &binary).map_err(|error| format!("{}: {error}", built.display()))?;
    let linked = output_of(root, "readelf", &["--wide", "--program-headers", "--dynamic", &path(&binary)])?;
    if linked.contains("INTERP") || linked.contains("(NEEDED)") {
        return Err("the program is not linked statically".to_owned());
    }
    if output_of(root, "readelf", &["--wide", "--sections", &path(&binary)])?.contains("SYMTAB") {
        return Err("the program still has its symbols".to_owned());
    }
    let version = output_of(root, &path(&binary), &["--version"])?;
    let version = version.trim_start_matches("ba-copilot ").to_owned();
    list_materials(root, &out, &version)?;
    pack(root, &out, &version, &moment)?;
    make_image(root, &out, &version, &moment)?;
    let sums = output_of(&out, "sh", &["-c", "sha256sum ba-copilot *.tar.gz image.tar sbom.cdx.json"])?;
    fs::write(out.join("SHA256SUMS"), format!("{sums}\n")).map_err(|error| error.to_string())?;
    println!("{sums}");
    Ok(())
}

fn compile(root: &Path, moment: &str) -> Outcome {
    let home = output_of(root, "sh", &["-c", "echo \"${CARGO_HOME:-$HOME/.cargo}\""])?;
    let sysroot = output_of(root, "rustc", &["--print", "sysroot"])?;
    let maps = [(path(root), "/ba-copilot"), (home, "/cargo"), (sysroot, "/rust")];
    let of_rust: String = maps.iter().map(|(from, to)| format!(" --remap-path-prefix={from}={to}")).collect();
    let of_c: String = maps.iter().map(|(from, to)| format!(" -ffile-prefix-map={from}={to}")).collect();
    // Without symbols: a sixth of the program, and the optimiser's names for what it moved are others in every folder.
    let flags =
        format!("-C target-feature=+crt-static -C strip=symbols -C link-arg=-Wl,--build-id=none{of_rust}");
    println!("$ RUSTFLAGS='{flags}' cargo build --profile dist --target {TARGET} -p ba-copilot");
    let status = program("cargo")
        .current_dir(root)
        .args(["build", "--profile", "dist", "--target", TARGET, "-p", "ba-copilot", "--locked"])
        .env("RUSTFLAGS", flags)
        .env(format!("CFLAGS_{}", TARGET.replace('-', "_")), of_c.trim())
        .env("SOURCE_DATE_EPOCH", moment)
        .env("CARGO_INCREMENTAL", "0")
        // What build scripts and macros are made into is kept apart: cargo would put it beside what is handed out.
        .env("CARGO_BUILD_BUILD_DIR", root.join("target/dist-build"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err("the program could not be built".to_owned()) }
}

/// The bill of materials: every crate that is linked in, and every npm package of which something is embedded.
fn list_materials(root: &Path, out: &Path, version: &str) -> Outcome {
    let tree = output_of(
        root,
        "cargo",
        &[
            "tree",
            "--locked",
            "--package",
            "ba-copilot",
            "--edges",
            "normal",
            "--target",
            TARGET,
            "--prefix",
            "none",
            "--format",
            "{p}\t{l}",
            "--no-dedupe",
        ],
    )?;
    let mut child = Command::new("node")
        .arg(root.join("web/sbom.mjs"))
        .arg(version)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("node could not be started: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        use std::io::Write as _;
        input.write_all(tree.as_bytes()).map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err("the bill of materials could not be made".to_owned());
    }
    fs::write(out.join("sbom.cdx.json"), &output.stdout).map_err(|error| error.to_string())
}

/// Flags by which an archive is the same wherever and whenever it is made.
fn tar(folder: &Path, moment: &str, archive: &Path, more: &[&str]) -> Outcome {
    let time = format!("--mtime=@{moment}");
    let archive = path(archive);
    let same = [
        "--sort=name",
        "--format=gnu",
        &time,
        "--numeric-owner",
        "--mode=go-w",
        "--create",
        "--file",
        &archive,
    ];
    output_of(folder, "tar", &[&same, more].concat()).map(|_| ())
}

fn pack(root: &Path, out: &Path, version: &str, moment: &str) -> Outcome {
    let name = format!("ba-copilot-{version}-x86_64-linux");
    let stage = out.join(&name);
    fs::create_dir_all(&stage).map_err(|error| error.to_string())?;
    for beside in BESIDE {
        output_of(root, "cp", &["--recursive", beside, &path(&stage)])?;
    }
    output_of(out, "cp", &["ba-copilot", "sbom.cdx.json", &path(&stage)])?;
    let archive = out.join(format!("{name}.tar"));
    tar(out, moment, &archive, &["--owner=0", "--group=0", &name])?;
    fs::remove_dir_all(&stage).map_err(|error| error.to_string())?;
    output_of(out, "gzip", &["--no-name", "--best", &path(&archive)]).map(|_| ())
}

/// The image of `infra/container/Dockerfile` for a program that is there, made without an engine.
fn make_image(root: &Path, out: &Path, version: &str, moment: &str) -> Outcome {
    let stage = out.join("image");
    let layer = stage.join("tree");
    fs::create_dir_all(layer.join("data")).map_err(|error| error.to_string())?;
    output_of(out, "cp", &["ba-copilot", &path(&layer)])?;
    output_of(&layer, "chmod", &["755", "ba-copilot"])?;
    output_of(&layer, "chmod", &["700", "data"])?;
    tar(&layer, moment, &stage.join("layer.tar"), &["--owner=65532", "--group=65532", "ba-copilot", "data"])?;
    let digest = |file: &str| -> Result<String, String> {
        Ok(output_of(&stage, "sha256sum", &[file])?.split(' ').next().unwrap_or_default().to_owned())
    };
    let revision = output_of(root, "git", &["rev-parse", "HEAD"]).unwrap_or_default();
    let created = output_of(root, "date", &["--utc", &format!("--date=@{moment}"), "+%Y-%m-%dT%H:%M:%SZ"])?;
    let config = format!(
        concat!(
            r#"{{"architecture":"amd64","os":"linux","created":"{created}","config":{{"User":"65532:65532","#,
            r#""ExposedPorts":{{"8000/tcp":{{}}}},"Env":["BA_COPILOT__DATA__DIR=/data","#,
            r#""BA_COPILOT__SERVER__LISTEN=0.0.0.0:8000","BA_COPILOT__LOG__FORMAT=json"],"#,
            r#""Entrypoint":["/ba-copilot"],"Cmd":["serve"],"WorkingDir":"/data","Volumes":{{"/data":{{}}}},"#,
            r#""StopSignal":"SIGTERM","Healthcheck":{{"Test":["CMD","/ba-copilot","healthcheck"],"#,
            r#""Interval":10000000000,"Timeout":5000000000,"StartPeriod":30000000000,"Retries":3}},"Labels":{{"#,
            r#""org.opencontainers.image.title":"BA Copilot","org.opencontainers.image.version":"{version}","#,
            r#""org.opencontainers.image.revision":"{revision}","#,
            r#""org.opencontainers.image.licenses":"MIT OR Apache-2.0","#,
            r#""org.opencontainers.image.created":"{created}"}}}},"#,
            r#""rootfs":{{"type":"layers","diff_ids":["sha256:{layer}"]}},"#,
            r#""history":[{{"created":"{created}","created_by":"cargo xtask dist"}}]}}"#,
        ),
        created = created,
        version = version,
        revision = revision,
        layer = digest("layer.tar")?,
    );
    fs::write(stage.join("config.json"), config).map_err(|error| error.to_string())?;
    let name = format!("{}.json", digest("config.json")?);
    fs::rename(stage.join("config.json"), stage.join(&name)).map_err(|error| error.to_string())?;
    let manifest =
        format!(r#"[{{"Config":"{name}","RepoTags":["ba-copilot:dist"],"Layers":["layer.tar"]}}]"#);
    fs::write(stage.join("manifest.json"), manifest).map_err(|error| error.to_string())?;
    let parts = ["--owner=0", "--group=0", "manifest.json", &name, "layer.tar"];
    tar(&stage, moment, &out.join("image.tar"), &parts)?;
    fs::remove_dir_all(&stage).map_err(|error| error.to_string())
}

fn check_reproducible() -> Outcome {
    // What is committed meanwhile is in neither.
    let commit = output_of(&root(), "git", &["rev-parse", "HEAD"])?;
    let mut sums = Vec::new();
    for name in ["one", "another-folder-of-another-length"] {
        let folder = std::env::temp_dir().join(format!("ba-copilot-dist-{}", std::process::id())).join(name);
        let _ = fs::remove_dir_all(&folder);
        output_of(&root(), "git", &["clone", "--quiet", "--no-hardlinks", ".", &path(&folder)])?;
        output_of(&folder, "git", &["checkout", "--quiet", "--detach", &commit])?;
        build(&folder)?;
        sums.push(
            fs::read_to_string(folder.join("target/dist/SHA256SUMS")).map_err(|error| error.to_string())?,
        );
        // Both stay, so that the difference can be examined.
        let out = root().join(if name == "one" { "target/dist" } else { "target/dist-again" });
        let _ = fs::remove_dir_all(&out);
        output_of(&root(), "cp", &["--recursive", &path(&folder.join("target/dist")), &path(&out)])?;
        let _ = fs::remove_dir_all(&folder);
    }
    match sums.windows(2).all(|two| two[0] == two[1]) {
        true => {
            println!("Two builds in two folders gave the same bytes.");
            Ok(())
        }
        false => Err(format!("two builds differ (target/dist and target/dist-again):\n{}", sums.join("\n"))),
    }
}

/// The standard output of a program; its standard error if it fails.
fn output_of(folder: &Path, name: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("{name} could not be started: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => {
            Err(format!("{name} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

fn path(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
