//! Which trace a request belongs to, as W3C Trace Context has it: taken from `traceparent`, told in the log as `trace.id`, and
//! handed on to the MCP server that checks. Vendors of models are told nothing of it.

use uuid::Uuid;

/// The trace of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    id: String,
    /// Whether somebody keeps the trace, and what later versions add.
    flags: u8,
}

tokio::task_local! {
    static CURRENT: TraceContext;
}

impl TraceContext {
    /// Of a `traceparent`; none if it is not one.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        // The first version has four parts, later ones may have more.
        let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let zero = |text: &str| text.bytes().all(|b| b == b'0');
        let fits = known && hex(id, 32) && hex(parent, 16) && hex(flags, 2) && !zero(id) && !zero(parent);
        fits.then(|| TraceContext {
            id: id.to_owned(),
            flags: u8::from_str_radix(flags, 16).unwrap_or_default(),
        })
    }

    /// A new trace, that nobody has asked to keep.
    pub fn new(id: Uuid) -> Self {
        TraceContext { id: id.simple().to_string(), flags: 0 }
    }

    /// 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `traceparent` of a call to somebody else; the call has an id of its own, made of `call`.
    pub fn parent(&self, call: Uuid) -> String {
        // The second half is the random one.
        let (_, random) = call.as_u64_pair();
        format!("00-{}-{:016x}-{:02x}", self.id, random, self.flags & 1)
    }
}

/// Carries `work` out as a part of the trace.
pub async fn within<T>(trace: TraceContext, work: impl Future<Output = T>) -> T {
    CURRENT.scope(trace, work).await
}

/// The trace of the request that is being answered; none in work that goes on beside it.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(Clone::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        assert_eq!(TraceContext::parse(header).as_ref().map(TraceContext::id), expected, "{header}");
    }

    #[test]
    fn only_what_the_standard_allows_is_a_trace() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(id));
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later", Some(id));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None);
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None);
        check("", None);
    }

    #[test]
    fn what_is_handed_on_is_the_same_trace() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = TraceContext::parse(parent).expect("a trace");
        let handed_on = trace.parent(Uuid::now_v7());
        assert_ne!(handed_on, parent);
        assert_eq!(TraceContext::parse(&handed_on), Some(trace));
    }
}
