//! Shows the sizes of JobManager and TaskManager to people: for each process a picture, a table of its pools
//! and what YARN grants for it, then advice. It only makes text, and does no I/O.

use anstyle::{AnsiColor, Style};
use flink_model::memory::{Explained, JvmLimit, PoolName, Role, Rule, short};
use flink_model::memory_advice::percent;
use flink_model::units::MemorySize;
use yarn_client::memory::{Changed, ContainerLimits, Other, Sizes, Study, changes, per_slot, scheduler_name};
use yarn_client::units::count;

use super::bar::{Brace, LOST, Look, Paint, Part, draw};
use crate::text::clean;

/// If the terminal has at least so many columns, the rule of a pool stands on the pool's own line.
const WIDE: usize = 140;
/// The most columns of the picture, because longer lines are hard to read.
const WIDEST_BAR: usize = 160;

/// How a pool is painted.
fn paint(name: PoolName) -> Paint {
    let (letter, pattern, colour) = match name {
        PoolName::JvmHeap => ('H', '█', AnsiColor::BrightBlue),
        PoolName::OffHeap => ('O', '▓', AnsiColor::Cyan),
        PoolName::FrameworkHeap => ('F', '█', AnsiColor::Blue),
        PoolName::TaskHeap => ('T', '▒', AnsiColor::BrightBlue),
        PoolName::FrameworkOffHeap => ('f', '█', AnsiColor::Cyan),
        PoolName::TaskOffHeap => ('t', '▒', AnsiColor::BrightCyan),
        PoolName::Network => ('N', '░', AnsiColor::Green),
        PoolName::Managed => ('M', '▓', AnsiColor::Yellow),
        PoolName::Metaspace => ('C', '▒', AnsiColor::Magenta),
        PoolName::Overhead => ('J', '░', AnsiColor::BrightMagenta),
    };
    Paint { letter, pattern, colour }
}

pub(crate) fn render(study: &Study, look: Look) -> String {
    let out = Writer { look, directory: format!("{}/", study.directory.display()), lines: Vec::new() };
    out.study(study)
}

struct Writer {
    look: Look,
    /// The directory of the configuration, which is left out in front of the names of its files.
    directory: String,
    lines: Vec<String>,
}

impl Writer {
    fn study(mut self, study: &Study) -> String {
        let title = format!("Flink {}", study.sizes.release);
        let directory = clean::line(&study.directory.display().to_string());
        self.lines.push(format!("{}, configuration in {directory}", self.bold(&title)));
        for explained in &study.sizes.processes {
            self.lines.push(String::new());
            self.process(explained, study);
        }
        self.lines.push(String::new());
        self.yarn(study);
        for other in study.without_trials.iter().chain(&study.at_hand) {
            self.lines.push(String::new());
            self.comparison(other, &study.sizes);
        }
        self.advice(study);
        let lines: Vec<&str> = self.lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n")
    }

    fn bold(&self, text: &str) -> String {
        self.look.paint(Style::new().bold(), text)
    }

    fn process(&mut self, explained: &Explained, study: &Study) {
        let (mb, vcores) = study.sizes.request(explained.role);
        let granted = study.limits.as_ref().ok().and_then(|limits| granted(limits, mb));
        let size = match granted {
            Some(granted) if granted != mb => format!("{mb} MiB in a container of {granted} MiB"),
            _ => format!("{mb} MiB"),
        };
        let slots = match explained.role {
            Role::TaskManager => format!(", {}", count(study.sizes.spec.slots, "slot")),
            Role::JobManager => String::new(),
        };
        let title = self.bold(&explained.role.to_string());
        self.lines.push(format!("{title}: {size}, {}{slots}", count(vcores, "vcore")));
        self.lines.push(String::new());
        self.picture(explained, granted.map_or(0, |granted| granted.saturating_sub(mb)));
        self.lines.push(String::new());
        self.table(explained);
        self.lines.push(String::new());
        self.field("JVM", &explained.jvm_args.join(" "));
        if explained.role == Role::TaskManager {
            let number = study.sizes.spec.slots;
            let each: Vec<String> = per_slot(explained, number)
                .into_iter()
                .map(|(name, size)| format!("{} {}", name.text(), short(size)))
                .collect();
            self.field("Per slot", &each.join(", "));
        }
        if let Ok(limits) = &study.limits {
            self.field("YARN", &container(limits, mb, vcores, granted));
        }
    }

    fn picture(&mut self, explained: &Explained, lost_mb: u64) {
        let mut parts: Vec<Part> = explained
            .pools
            .iter()
            .map(|pool| Part { size: pool.size.bytes(), paint: paint(pool.name) })
            .collect();
        let pools = parts.len();
        parts.push(Part { size: lost_mb << 20, paint: LOST });
        let flink = explained.pools.iter().filter(|pool| pool.name.is_flinks()).count();
        let sum = |limit: JvmLimit| {
            let matching = explained.pools.iter().filter(|pool| pool.limit == limit);
            matching.map(|pool| pool.size.bytes()).sum::<u64>()
        };
        let limit = |limit: JvmLimit, name: &str, brief: &str, tiny: &str| {
            let first = explained.pools.iter().position(|pool| pool.limit == limit)?;
            let many = explained.pools.iter().skip(first).take_while(|pool| pool.limit == limit).count();
            let size = short(MemorySize::from_bytes(sum(limit)).unwrap_or_default());
            let labels =
                vec![format!("{name} {size}"), format!("{brief} {size}"), brief.to_owned(), tiny.to_owned()];
            Some(Brace { parts: (first, first + many), labels })
        };
        let jvm = [
            limit(JvmLimit::Heap, "-Xmx", "-Xmx", "Xmx"),
            limit(JvmLimit::Direct, "MaxDirectMemorySize", "direct", "dir"),
            limit(JvmLimit::Metaspace, "MaxMetaspaceSize", "metaspace", "meta"),
        ];
        let sums = |name: &str, size: MemorySize| {
            vec![format!("{name} {}", short(size)), name.to_owned(), short(size)]
        };
        let rows = [
            jvm.into_iter().flatten().collect(),
            vec![Brace { parts: (0, flink), labels: sums("Flink's memory", explained.flink.0) }],
            vec![
                Brace { parts: (0, pools), labels: sums("process", explained.process.0) },
                Brace {
                    parts: (pools, pools + 1),
                    labels: vec![format!("{lost_mb} mb lost"), "lost".to_owned()],
                },
            ],
        ];
        let columns = self.look.columns.saturating_sub(2).clamp(10, WIDEST_BAR);
        self.lines.extend(draw(&parts, &rows, columns, self.look).into_iter().map(|line| format!(" {line}")));
    }

    fn table(&mut self, explained: &Explained) {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for pool in &explained.pools {
            let options = match pool.limit {
                JvmLimit::Nothing => String::new(),
                limit => limit.options().join(" "),
            };
            let swatch = self.look.swatch(paint(pool.name));
            rows.push(Row { swatch, name: pool.name.text(), size: pool.size, options, rule: &pool.rule });
        }
        let sign = if self.look.unicode { "  =" } else { "=" };
        for (name, (size, rule)) in [("Flink's memory", &explained.flink), ("process", &explained.process)] {
            rows.push(Row { swatch: sign.into(), name, size: *size, options: String::new(), rule });
        }
        let mark = if self.look.unicode { 3 } else { 1 };
        let wide = self.look.columns >= WIDE;
        // A narrow terminal has no room for all columns.
        let (bytes, options) = (self.look.columns >= 76, self.look.columns >= 62);
        let line = |swatch: &str, name: &str, size: &str, exact: &str, option: &str| {
            let mut line = format!(" {swatch}  {name:18} {size:>11}");
            if bytes {
                line.push_str(&format!(" {exact:>14}"));
            }
            if options {
                line.push_str(&format!("  {option:23}"));
            }
            line
        };
        let dim = Style::new().dimmed();
        let header = line(&" ".repeat(mark), "POOL", "SIZE", "BYTES", "JVM OPTION");
        let indent = if wide { header.chars().count() + 2 } else { mark + 5 };
        let header = if wide { format!("{header}  WHY") } else { header };
        self.lines.push(self.look.paint(dim, header.trim_end()));
        for row in rows {
            let exact = row.size.bytes().to_string();
            let start = line(&row.swatch, row.name, &short(row.size), &exact, &row.options);
            let rule = clean::line(&row.rule.to_string().replace(&self.directory, ""));
            let mut why = wrap(&rule, self.look.columns.saturating_sub(indent + 1)).into_iter();
            let first = if wide { why.next().unwrap_or_default() } else { String::new() };
            let start = format!("{start}  {}", self.look.paint(dim, &first));
            self.lines.push(start.trim_end().to_owned());
            self.lines.extend(why.map(|line| format!("{:indent$}{}", "", self.look.paint(dim, &line))));
        }
    }

    /// Adds a field, wrapped to the width of the terminal, such as `JVM        -Xmx… …`.
    fn field(&mut self, name: &str, text: &str) {
        const INDENT: usize = 11;
        let lines = wrap(&clean::line(text), self.look.columns.saturating_sub(INDENT + 1));
        for (index, line) in lines.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let padded = format!(" {name:<10}");
            self.lines.push(format!("{}{line}", self.bold(&padded)));
        }
    }

    fn yarn(&mut self, study: &Study) {
        let text = match &study.limits {
            Err(why) => format!("what YARN will grant is not known: {why}"),
            Ok(limits) => {
                let (min, step) = (&limits.minimum_mb, &limits.step_mb);
                let steps = if min.key == step.key {
                    format!("multiples of {} MiB ({})", min.value, min.place())
                } else {
                    let (step_mb, min_mb) = (step.value, min.value);
                    let (step, min) = (step.place(), min.place());
                    format!("multiples of {step_mb} MiB ({step}), {min_mb} MiB or more ({min})")
                };
                let (mb, vcores) = (&limits.maximum_mb, &limits.maximum_vcores);
                let most = format!("{} MiB and {}", mb.value, count(vcores.value, "vcore"));
                let told = if limits.from_cluster {
                    "as the ResourceManager says".to_owned()
                } else {
                    format!("{}; {}", mb.place(), vcores.place())
                };
                format!("{}: {steps}, at most {most} ({told})", scheduler_name(limits.scheduler))
            }
        };
        self.field("Cluster", &text);
    }

    fn comparison(&mut self, other: &Other, now: &Sizes) {
        let what = match other.name.as_str() {
            "without --set" => "--set changes".to_owned(),
            name => format!("Against {name}"),
        };
        let before = match &other.sizes {
            Ok(before) => before,
            Err(why) => {
                self.lines.push(self.bold(&what));
                self.paragraph(1, &format!("{} the configuration is refused: {why}", other.name));
                return;
            }
        };
        let changes = changes(before, now);
        if changes.is_empty() {
            let same = format!("{}: all sizes are the same", self.bold(&what));
            self.lines.push(same);
            return;
        }
        self.lines.push(self.bold(&what));
        let arrow = if self.look.unicode { "→" } else { "->" };
        for change in changes {
            let name = change.name.map_or_else(|| sum_text(&change), PoolName::text);
            let (before, after) = (change.before.bytes(), change.after.bytes());
            let sign = if after > before { '+' } else { '-' };
            let difference = MemorySize::from_bytes(after.abs_diff(before)).unwrap_or_default();
            self.lines.push(format!(
                " {:11}  {name:18} {:>11} {arrow} {:>11}  {sign}{}",
                change.role.to_string(),
                short(change.before),
                short(change.after),
                short(difference)
            ));
        }
    }

    fn advice(&mut self, study: &Study) {
        if study.advice.is_empty() {
            return;
        }
        self.lines.push(String::new());
        self.lines.push(self.bold("Advice"));
        for advice in &study.advice {
            let who = advice.role.map(|role| format!("{role}: ")).unwrap_or_default();
            self.paragraph(1, &format!("- {who}{}", advice.text).replace(&self.directory, ""));
            for change in &advice.changes {
                self.paragraph(5, &format!("{}: {}  ({})", change.key, change.value, change.effect));
            }
        }
    }

    /// Wrapped text; its further lines are indented by two more.
    fn paragraph(&mut self, indent: usize, text: &str) {
        let lines = wrap(&clean::line(text), self.look.columns.saturating_sub(indent + 3));
        for (index, line) in lines.iter().enumerate() {
            let indent = if index == 0 { indent } else { indent + 2 };
            self.lines.push(format!("{:indent$}{line}", ""));
        }
    }
}

struct Row<'a> {
    swatch: String,
    name: &'static str,
    size: MemorySize,
    options: String,
    rule: &'a Rule,
}

/// The memory in MiB that YARN grants for a request of `mb` MiB; `None` if the largest container has less.
fn granted(limits: &ContainerLimits, mb: u64) -> Option<u64> {
    Some(limits.yarn().charged_memory_mb(mb)).filter(|granted| *granted <= limits.maximum_mb.value)
}

fn container(limits: &ContainerLimits, mb: u64, vcores: u64, granted: Option<u64>) -> String {
    let asked = format!("asked for {mb} MiB and {}", count(vcores, "vcore"));
    let Some(granted) = granted else {
        return format!("{asked}; the largest container has {} MiB", limits.maximum_mb.value);
    };
    let granted_vcores = limits.granted_vcores(vcores);
    let cores = match granted_vcores {
        Some(cores) => format!(" and {}", count(cores, "vcore")),
        None => String::new(),
    };
    let lost = match granted - mb {
        0 => "nothing is lost".to_owned(),
        lost => format!("{lost} MiB ({}) are lost", percent(lost, granted)),
    };
    let mut text = format!("{asked}, granted {granted} MiB{cores}: {lost}");
    if granted_vcores.is_none() {
        text.push_str(&format!("; vcores: {vcores}, or 1 without the DominantResourceCalculator"));
    }
    if let (Some(smallest), Some(largest)) = (limits.nodes.first(), limits.nodes.last()) {
        let vcores = granted_vcores.unwrap_or(vcores);
        let all = |mb| limits.nodes.iter().map(|node| limits.fits(node, mb, vcores)).sum::<u64>();
        let (least, most) = (limits.fits(smallest, granted, vcores), limits.fits(largest, granted, vcores));
        let on_one = if least == most { most.to_string() } else { format!("{least} to {most}") };
        text.push_str(&match limits.nodes.len() {
            1 => format!(". The node has room for {on_one}"),
            nodes => format!(". A node has room for {on_one}, all {nodes} nodes for {}", all(granted)),
        });
        match all(mb) - all(granted) {
            0 => {}
            more => text.push_str(&format!(" ({more} more without the rounding)")),
        }
    }
    text
}

/// The name of the changed sum, for people.
fn sum_text(changed: &Changed) -> &'static str {
    if changed.sum == "totalFlinkMemory" { "Flink's memory" } else { "process" }
}

/// Lines of at most `width` characters, broken at blanks; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
