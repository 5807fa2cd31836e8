//! A page's blocks, as what is to be done.

/// What a block asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    File {
        name: String,
        text: String,
    },
    Command {
        command: String,
        expected: Vec<String>,
    },
}

/// A page of the book.
pub(crate) struct Page {
    pub(crate) name: String,
    /// In order, with their lines.
    pub(crate) steps: Vec<(usize, Step)>,
    not_run: Vec<String>,
}

struct Block<'a> {
    line: usize,
    language: &'a str,
    /// What the line of text before it ends in, if that is a name and a colon.
    file: Option<&'a str>,
    lines: Vec<&'a str>,
}

impl Page {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut page = Self {
            name: name.to_owned(),
            steps: Vec::new(),
            not_run: Vec::new(),
        };
        for block in blocks(text) {
            match (block.language, block.file) {
                ("console", _) => page.steps.extend(commands(&block)),
                ("text", None) | ("rust", None) => {}
                ("", _) | (_, None) => page
                    .not_run
                    .push(format!("{name}:{}: `{}`", block.line, block.language)),
                (_, Some(file)) => {
                    let lines = block.lines.iter().map(|line| shown(block.language, line));
                    let step = Step::File {
                        name: file.to_owned(),
                        text: lines.map(|line| line + "\n").collect(),
                    };
                    page.steps.push((block.line, step));
                }
            }
        }
        page
    }

    pub(crate) fn has_commands(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|(_, step)| matches!(step, Step::Command { .. }))
    }

    /// Where blocks are that nothing would be done with.
    pub(crate) fn not_run(&self) -> Vec<String> {
        self.not_run.clone()
    }
}

/// A line of a file; documentation tests hide those of Rust that begin with `# `.
fn shown(language: &str, line: &str) -> String {
    match line.strip_prefix("# ") {
        Some(hidden) if language == "rust" => hidden.to_owned(),
        _ => line.to_owned(),
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut open: Option<Block<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line),
            (None, Some(information)) => {
                let language = information.split([',', ' ']).next().unwrap_or_default();
                open = Some(Block {
                    line: index + 1,
                    language,
                    file: before
                        .strip_suffix("`:")
                        .and_then(|rest| rest.rsplit('`').next()),
                    lines: Vec::new(),
                });
                before = "";
            }
            (None, None) if !line.is_empty() => before = line,
            (None, None) => {}
        }
    }
    blocks.extend(open);
    blocks
}

fn commands(block: &Block<'_>) -> Vec<(usize, Step)> {
    let mut commands: Vec<(usize, Step)> = Vec::new();
    let mut continued = false;
    for (index, line) in block.lines.iter().enumerate() {
        let was_continued = std::mem::replace(&mut continued, false);
        match (commands.last_mut(), line.strip_prefix("$ ")) {
            (Some((_, Step::Command { command, .. })), _) if was_continued => {
                *command += "\n";
                *command += line;
                continued = line.ends_with('\\');
            }
            (_, Some(command)) => {
                let step = Step::Command {
                    command: command.to_owned(),
                    expected: Vec::new(),
                };
                commands.push((block.line + 1 + index, step));
                continued = line.ends_with('\\');
            }
            (Some((_, Step::Command { expected, .. })), None) => expected.push((*line).to_owned()),
            (_, None) => panic!(
                "line {}: a block that begins with `{line}` and not with a command",
                block.line
            ),
        }
    }
    commands
}

#[test]
fn blocks_become_steps() {
    let text = "In `a/b.toml`:\n\n```toml\nx = 1\n```\n\n`main.rs`:\n\n```rust,no_run\n# use x;\nfn main() {}\n```\n\
        ```console\n$ one \\\n    two\nprinted\n$ three\n```\n```text\nz\n```\n```sh\n$ four\n```\n";
    let page = Page::new("p.md", text);
    let file = |name: &str, text: &str| Step::File {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let command = |command: &str, expected: &[&str]| Step::Command {
        command: command.to_owned(),
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    };
    assert_eq!(
        page.steps,
        [
            (3, file("a/b.toml", "x = 1\n")),
            (9, file("main.rs", "use x;\nfn main() {}\n")),
            (14, command("one \\\n    two", &["printed"])),
            (17, command("three", &[])),
        ]
    );
    assert_eq!(page.not_run(), ["p.md:22: `sh`"]);
}
