//! Turns the cause of a container's end ([`crate::cause`]) into the fact from which the crate `diagnosis`
//! judges.

use diagnosis::facts::{ContainerEnd, Exhausted};
use diagnosis::words::NO_ROOM_FOR_HEAP;

use crate::cause::{ExitCause, JvmExit, KernelOom};
use crate::control::OutOfMemory;

/// The fact about the end of a TaskManager's container. The container and its node are left empty, because a
/// cause does not have them.
pub fn container_end(cause: &ExitCause) -> ContainerEnd {
    let ExitCause { yarn, jvm, not_started, .. } = cause;
    let of_jvm = jvm.iter().flat_map(|jvm| std::iter::once(&jvm.summary).chain(&jvm.last_lines));
    let said = not_started.iter().chain(of_jvm).filter(|line| !line.trim().is_empty()).cloned().collect();
    let (allowed, peak) = match jvm.as_ref().map(|jvm| jvm.kernel) {
        Some(KernelOom::Cgroup { limit, peak }) => (limit, peak),
        _ => (None, None),
    };
    ContainerEnd {
        status: yarn.as_ref().map(|yarn| yarn.status),
        diagnostics: yarn.as_ref().map(|yarn| yarn.said.join("\n")).unwrap_or_default(),
        code: jvm.as_ref().and_then(|jvm| jvm.code),
        signal: jvm.as_ref().and_then(|jvm| jvm.signal),
        exhausted: jvm.as_ref().and_then(exhausted),
        peak,
        allowed,
        said,
        at_start: not_started.is_some() || jvm.as_ref().is_some_and(JvmExit::is_at_start),
        ..ContainerEnd::default()
    }
}

/// The memory that ran out, if that is why the JVM ended.
fn exhausted(jvm: &JvmExit) -> Option<Exhausted> {
    Some(match jvm.out_of_memory {
        OutOfMemory::OomJavaHeap | OutOfMemory::OomGcOverhead => Exhausted::Heap,
        OutOfMemory::OomMetaspace => Exhausted::Metaspace,
        OutOfMemory::OomDirect => Exhausted::Direct,
        OutOfMemory::OomNativeThread => Exhausted::Threads,
        OutOfMemory::OomNative => Exhausted::Native,
        OutOfMemory::OomNone => {
            let mut lines = std::iter::once(&jvm.summary).chain(&jvm.last_lines);
            return lines.any(|line| line.contains(NO_ROOM_FOR_HEAP)).then_some(Exhausted::Native);
        }
        // For example an array that is larger than any heap.
        OutOfMemory::OomOther => return None,
        OutOfMemory::OomKernel if jvm.kernel == KernelOom::Host => Exhausted::Host,
        OutOfMemory::OomKernel => Exhausted::Cgroup,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Exited;
    use crate::exit::{ExitReport, Facts};

    /// What heddle-am makes of the report about such an end.
    fn jvm(facts: Facts) -> JvmExit {
        JvmExit::from(ExitReport::from_facts(facts).to_event())
    }

    fn end_of(facts: Facts) -> ContainerEnd {
        container_end(&ExitCause::new(None, Some(&jvm(facts))))
    }

    #[test]
    fn the_kernels_kills_are_told_apart() {
        let killed =
            |kernel_oom| end_of(Facts { signal: Some(9), code: None, kernel_oom, ..Facts::default() });
        let end = killed(KernelOom::Cgroup { limit: Some(1 << 30), peak: Some(1 << 29) });
        assert_eq!((end.exhausted, end.signal), (Some(Exhausted::Cgroup), Some(9)));
        assert_eq!((end.allowed, end.peak), (Some(1 << 30), Some(1 << 29)));
        let end = killed(KernelOom::Cgroup { limit: None, peak: None });
        assert_eq!((end.exhausted, end.allowed, end.peak), (Some(Exhausted::Cgroup), None, None));
        let end = killed(KernelOom::Host);
        assert_eq!((end.exhausted, end.allowed), (Some(Exhausted::Host), None));
        assert_eq!(killed(KernelOom::None).exhausted, None);
        let older = Exited { out_of_memory: OutOfMemory::OomKernel.into(), ..Exited::default() };
        assert_eq!(exhausted(&older.into()), Some(Exhausted::Cgroup));
    }

    #[test]
    fn the_memory_of_java_that_ran_out() {
        for (line, kind) in [
            ("java.lang.OutOfMemoryError: Java heap space", Some(Exhausted::Heap)),
            ("java.lang.OutOfMemoryError: GC overhead limit exceeded", Some(Exhausted::Heap)),
            ("java.lang.OutOfMemoryError: Metaspace", Some(Exhausted::Metaspace)),
            ("java.lang.OutOfMemoryError: Direct buffer memory", Some(Exhausted::Direct)),
            ("java.lang.OutOfMemoryError: unable to create native thread", Some(Exhausted::Threads)),
            (
                "There is insufficient memory for the Java Runtime Environment to continue.",
                Some(Exhausted::Native),
            ),
            ("Could not reserve enough space for 16777216KB object heap", Some(Exhausted::Native)),
            ("java.lang.OutOfMemoryError: Unable to allocate 67108864 bytes", Some(Exhausted::Native)),
            ("java.lang.OutOfMemoryError: Requested array size exceeds VM limit", None),
            ("nothing", None),
        ] {
            let end = end_of(Facts { code: Some(239), stderr: vec![line.into()], ..Facts::default() });
            assert_eq!(end.exhausted, kind, "{line}");
            assert!(end.said.iter().any(|said| said.contains(line)), "{:?}", end.said);
        }
    }

    #[test]
    fn yarns_words_and_the_jvms() {
        let report = JvmExit { code: Some(143), last_lines: vec!["bye".into()], ..JvmExit::default() };
        let text = "[2026-11-28 14:25:10.123]Current usage: 1.3 GB of 1 GB physical memory used.\n\tat x\nDump of the \
                    process-tree for c :\n\t|- 1 java -Dsecret=x";
        let end = container_end(&ExitCause::new(Some((-104, text)), Some(&report)));
        assert_eq!((end.status, end.code), (Some(-104), Some(143)));
        assert_eq!(end.diagnostics, "Current usage: 1.3 GB of 1 GB physical memory used.");
        assert_eq!(end.said, ["bye"], "an empty summary says nothing");
        assert!(!end.at_start && !end.given_back);
    }

    #[test]
    fn what_ended_at_its_start() {
        let end = container_end(&ExitCause::not_started("no disk".into()));
        assert!(end.at_start);
        assert_eq!((end.said, end.status), (vec!["no disk".to_owned()], None));
        let early = |code| JvmExit { code: Some(code), unregistered: true, ..JvmExit::default() };
        assert!(container_end(&ExitCause::new(None, Some(&early(1)))).at_start);
        assert!(!container_end(&ExitCause::new(None, Some(&early(143)))).at_start);
    }
}
