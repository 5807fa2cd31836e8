//! What programs expect to find.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Content, Tree};
use crate::files::node::{Device, Node};
use crate::{arguments, resolv_conf};

impl Tree {
    pub(super) fn furnish(&self) {
        let devices = [
            ("null", Device::Null),
            ("zero", Device::Zero),
            ("urandom", Device::Random),
            ("random", Device::Random),
        ];
        let root = self.root.clone();
        let dev = self.furnish_directory(&root, "dev", 0o755);
        for (name, device) in devices {
            self.furnish_with(&dev, name, Content::Device(device), 0o666);
        }
        self.furnish_directory(&root, "tmp", 0o1777);
        let etc = self.furnish_directory(&root, "etc", 0o755);
        self.furnish_with(&etc, "hosts", Content::Generated(hosts), 0o444);
        self.furnish_with(
            &etc,
            "resolv.conf",
            Content::Generated(resolv_conf::text),
            0o444,
        );
        if authorities().is_some() {
            let ssl = self.furnish_directory(&etc, "ssl", 0o755);
            let text = || authorities().unwrap_or_default();
            self.furnish_with(&ssl, "cert.pem", Content::Generated(text), 0o444);
        }
        let proc = self.furnish_directory(&root, "proc", 0o555);
        let this = self.furnish_directory(&proc, "self", 0o555);
        self.furnish_with(&this, "cmdline", Content::Generated(command_line), 0o444);
        let program = arguments::with_words(|words| words.first().cloned());
        let program = [b"/", &program.unwrap_or_default()[..]].concat();
        self.furnish_with(&this, "exe", Content::Link(program), 0o777);
    }

    fn furnish_directory(&self, parent: &Rc<Node>, name: &str, permissions: u32) -> Rc<Node> {
        let directory = Content::Directory(RefCell::default());
        self.furnish_with(parent, name, directory, permissions)
    }

    fn furnish_with(
        &self,
        parent: &Rc<Node>,
        name: &str,
        content: Content,
        permissions: u32,
    ) -> Rc<Node> {
        let number = self.number();
        let node = Node::new(number, content, permissions, &self.memory, &self.budget);
        let node = node.expect("the least budget has room for what is always there");
        if let Some(entries) = parent.entries() {
            // In the place of what a disk has by that name, which no program that ran here has made.
            entries
                .borrow_mut()
                .insert(name.as_bytes().to_vec(), node.clone());
            node.names.set(1);
        }
        node
    }
}

fn hosts() -> Vec<u8> {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
    let name = crate::arguments::host_name();
    if name != "localhost" {
        text += &format!("127.0.0.1 {name}\n");
    }
    text.into_bytes()
}

/// Whom to trust, in PEM.
fn authorities() -> Option<Vec<u8>> {
    let given = arguments::with(|settings| settings.authorities.clone());
    let given = given.map(String::into_bytes);
    #[cfg(solo5)]
    let given = given.or_else(|| crate::scheduler::platform().authorities());
    given
}

fn command_line() -> Vec<u8> {
    arguments::with_words(|words| {
        let words = words.iter().map(|word| [&word[..], b"\0"].concat());
        words.collect::<Vec<_>>().concat()
    })
}
