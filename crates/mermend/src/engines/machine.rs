//! One JavaScript runtime with Mermaid's parser in it: what it is given, and what ends it.

use std::{cell::RefCell, collections::HashMap, io::Read, rc::Rc, sync::OnceLock, time::Duration};

use flate2::read::GzDecoder;
use rquickjs::{
    CatchResultExt, Context, Ctx, Error, Function, Module, Promise, Runtime,
    loader::{ImportAttributes, Loader, Resolver},
    module::Declared,
};
use rustix::time::{ClockId, clock_gettime};

use super::verdict::Failure;
use crate::deadline::Deadline;

const BUNDLE: &[u8] = include_bytes!(concat!(env!("MERMEND_DIST"), "/mermaid.parts"));

const JS_STACK_BYTES: usize = 8 << 20;

/// When the JavaScript that runs must end.
struct End {
    deadline: Deadline,
    /// The engine's own limit, on the clock of the thread.
    at: Duration,
    /// It was told to end. What it says afterwards is no verdict.
    reached: bool,
    /// How often it was asked: a measure of the work.
    looks: u64,
}

impl End {
    fn new(deadline: &Deadline, time: Duration) -> Self {
        End { deadline: deadline.clone(), at: thread_time() + time, reached: false, looks: 0 }
    }

    fn reached(&mut self) -> bool {
        self.looks += 1;
        self.reached |= thread_time() >= self.at || self.deadline.exceeded();
        self.reached
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The parts of the bundle, by name, compressed.
fn parts() -> &'static HashMap<&'static str, &'static [u8]> {
    static PARTS: OnceLock<HashMap<&str, &[u8]>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let index = BUNDLE.iter().position(|byte| *byte == b'\n').unwrap_or(BUNDLE.len());
        let (index, mut rest) = BUNDLE.split_at(index);
        rest = rest.get(1..).unwrap_or_default();
        let mut words = std::str::from_utf8(index).unwrap_or_default().split(' ');
        let mut parts = HashMap::new();
        while let (Some(name), Some(length)) = (words.next(), words.next()) {
            let length = length.parse::<usize>().unwrap_or(0).min(rest.len());
            let (part, after) = rest.split_at(length);
            parts.insert(name, part);
            rest = after;
        }
        parts
    })
}

fn source(name: &str) -> Option<String> {
    let mut source = String::new();
    GzDecoder::new(*parts().get(name)?).read_to_string(&mut source).ok()?;
    Some(source)
}

/// Finds modules among the parts of the bundle, and nowhere else.
struct Bundle;

impl Resolver for Bundle {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        let plain = name.trim_start_matches("./");
        match parts().contains_key(plain) {
            true => Ok(plain.to_owned()),
            false => Err(Error::new_resolving(base, name)),
        }
    }
}

impl Loader for Bundle {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        let source = source(name).ok_or_else(|| Error::new_loading(name))?;
        Module::declare(ctx.clone(), name, source)
    }
}

/// One JavaScript runtime with Mermaid loaded.
pub(super) struct Machine {
    context: Context,
    end: Rc<RefCell<Option<End>>>,
    time: Duration,
    // Dropped last: the context belongs to it.
    _runtime: Runtime,
}

impl Machine {
    /// `None` when the engine does not start.
    pub(super) fn start(time: Duration, memory_bytes: usize) -> Option<Self> {
        let runtime = Runtime::new().ok()?;
        runtime.set_memory_limit(memory_bytes);
        runtime.set_max_stack_size(JS_STACK_BYTES);
        runtime.set_loader(Bundle, Bundle);
        let end = Rc::new(RefCell::new(None::<End>));
        let watched = Rc::clone(&end);
        runtime.set_interrupt_handler(Some(Box::new(move || {
            watched.borrow_mut().as_mut().is_some_and(End::reached)
        })));
        let context = Context::full(&runtime).ok()?;
        let (host, entry) = (source("host.js")?, source("entry.js")?);
        let loaded = context.with(|ctx| {
            let globals = ctx.globals();
            globals.set("hostParseUrl", Function::new(ctx.clone(), parse_url)?)?;
            globals.set("hostIsColor", Function::new(ctx.clone(), |value: String| is_color(&value))?)?;
            ctx.eval::<(), _>(host)?;
            Module::evaluate(ctx.clone(), "entry.js", entry)?.finish::<()>()
        });
        loaded.ok()?;
        Some(Machine { context, end, time, _runtime: runtime })
    }

    /// What `check` in `web/mermaid/entry.js` answers for `text`.
    ///
    /// # Errors
    /// Which limit was reached.
    pub(super) fn ask(&self, text: &str, deadline: &Deadline) -> Result<String, Failure> {
        self.end.replace(Some(End::new(deadline, self.time)));
        let reply = self.context.with(|ctx| ask(&ctx, text));
        match self.end.take().is_some_and(|end| end.reached || end.deadline.exceeded()) {
            true => Err(Failure::TooSlow),
            false => reply.map_err(|()| Failure::TooDeep),
        }
    }
}

fn ask(ctx: &Ctx<'_>, text: &str) -> Result<String, ()> {
    let check: Function<'_> = ctx.globals().get("check").catch(ctx).map_err(drop)?;
    let promise: Promise<'_> = check.call((text,)).catch(ctx).map_err(drop)?;
    promise.finish::<String>().catch(ctx).map_err(drop)
}

/// The parts of a URL that Mermaid reads, as JSON; `null` if it is not one. The grammar is WHATWG's.
fn parse_url(text: String) -> String {
    match url::Url::parse(&text) {
        Ok(url) => serde_json::json!({
            "href": url.as_str(),
            "protocol": format!("{}:", url.scheme()),
            "hostname": url.host_str().unwrap_or_default(),
        })
        .to_string(),
        Err(_) => "null".to_owned(),
    }
}

/// Whether CSS takes it as a colour. Mermaid asks with the first word of a `box` line of a sequence diagram.
fn is_color(text: &str) -> bool {
    const KEYWORDS: [&str; 8] =
        ["transparent", "currentcolor", "inherit", "initial", "revert", "unset", "canvas", "canvastext"];
    let text = text.trim().to_ascii_lowercase();
    // The crate also takes hexadecimal digits without `#`, which CSS does not.
    match text.contains('(') {
        true => csscolorparser::parse(&text).is_ok(),
        false => {
            KEYWORDS.contains(&text.as_str())
                || (csscolorparser::parse(&text).is_ok() && !text.bytes().all(|b| b.is_ascii_hexdigit()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine::start(Duration::from_secs(60), 256 << 20).expect("the engine starts")
    }

    /// Ends code of the engine at many moments; a fault in how it ends code ends the process, and this test with it.
    #[test]
    fn code_can_be_ended_at_any_moment() {
        let machine = machine();
        // Elements are one object: freed once too often, its count of references is wrong, which the collector notices.
        let setting = "const one = {}; globalThis.objects = Array.from({ length: 7 }, () => one); \
            globalThis.holes = []; holes.length = 5000; globalThis.text = 'a'.repeat(2000) + 'b';";
        machine.context.with(|ctx| ctx.eval::<(), _>(setting)).expect("it can be run");
        for code in [
            "objects.find((one) => !one)",
            "objects.findIndex((one) => !one)",
            "objects.findLast((one) => !one)",
            "objects.findLastIndex((one) => !one)",
            "new Float64Array(1000).find((one) => one)",
            "objects.every((one) => one)",
            "objects.some((one) => !one)",
            "objects.map((one) => ({ one }))",
            "objects.filter((one) => one)",
            "objects.forEach((one) => ({ one }))",
            "objects.reduce((all, one) => ({ one }), {})",
            "objects.reduceRight((all, one) => ({ one }), {})",
            "[...objects].sort(() => 1)",
            "holes.includes({})",
            "holes.indexOf({})",
            "holes.lastIndexOf({})",
            "objects.flatMap((one) => [one, {}])",
            "Array.from(objects, (one) => ({ one }))",
            "new Map(objects.map((one) => [one, one])).forEach(() => ({}))",
            "JSON.parse(JSON.stringify(objects), (key, value) => value)",
            "text.replace(/a/g, (found) => found + found)",
            "text.match(/(a+)+$/)",
            "text.split('a').join({ toString: () => 'b' })",
            "Object.entries({ ...objects }).toString()",
        ] {
            for moment_us in [100, 700, 1_900, 4_300, 9_100] {
                let ended = machine.context.with(|ctx| {
                    let deadline = Deadline::after(Duration::from_micros(moment_us));
                    machine.end.replace(Some(End::new(&deadline, machine.time)));
                    ctx.eval::<(), _>(format!("for (;;) {code};")).is_err()
                });
                machine.end.take();
                assert!(ended, "{code}");
                // Finds what was freed twice.
                machine._runtime.run_gc();
            }
        }
    }

    /// The engine asks whether to end after equal portions of work.
    #[test]
    fn the_work_of_a_verdict_grows_with_the_text() {
        let machine = machine();
        let looks = |text: &str| {
            let deadline = Deadline::none();
            machine.end.replace(Some(End::new(&deadline, machine.time)));
            let reply = machine.context.with(|ctx| ask(&ctx, text)).expect("a verdict");
            assert!(reply.contains("\"valid\":true"), "{reply}");
            machine.end.take().map_or(0, |end| end.looks)
        };
        for (header, unit) in [
            ("flowchart TD", "  n{n} --> n{m}\n"),
            ("flowchart TD", "  n{n}[\"Review order {n}\"] -->|if {n}| n{m}\n"),
            ("graph LR", "  b{n}[Prepare<br>for {n}]\n"),
            ("flowchart TD", "  subgraph g{n} [Group {n}]\n    direction LR\n    x{n} --> y{n}\n  end\n"),
            ("sequenceDiagram", "  A->>B: Message {n}, please answer\n"),
            (
                "classDiagram",
                "  class C{n} {\n    +int a\n    +b(String c) bool\n  }\n  C{n} --> C{m} : owns\n",
            ),
            ("erDiagram", "  T{n} {\n    int id PK\n  }\n  T{n} ||--o{ T{m} : has\n"),
            ("stateDiagram-v2", "  S{n} --> S{m}: event {n}\n"),
            ("gantt\n  dateFormat YYYY-MM-DD\n  a :t0, 2026-01-01, 1d", "  Task {n} :t{m}, after t{n}, 3d\n"),
            ("mindmap\n  root", "    Topic {n}\n      Detail {n}\n"),
        ] {
            let text = |count: usize| {
                let units = (0..count)
                    .map(|n| unit.replace("{n}", &n.to_string()).replace("{m}", &(n + 1).to_string()));
                format!("{header}\n{}", units.collect::<String>())
            };
            looks(&text(1));
            let (small, large) = (looks(&text(400)), looks(&text(1_600)));
            assert!(
                large < 6 * small.max(1),
                "{header} {unit:?}: {small}, then {large} for four times as much"
            );
        }
    }
}
