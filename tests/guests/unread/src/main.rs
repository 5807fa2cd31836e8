//! Sleeps for some seconds beside a network device whose frames nobody reads; the first argument says why nobody does,
//! the second for how long.
#![forbid(unsafe_code)]

use std::time::Duration;

use mkernel::net::{self, Config, Stack};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let why = arguments.next().ok_or("expected a reason")?;
    let seconds: u64 = arguments.next().ok_or("expected seconds")?.parse()?;
    let time = Duration::from_secs(seconds);
    mkernel::run(async move {
        match why.as_str() {
            "never-acquired" => sleep(time).await,
            "never-started" => {
                let _device = mkernel::net!("service")?;
                sleep(time).await;
            }
            "stack-dropped" => {
                drop(start().await?);
                sleep(time).await;
            }
            "interface-deleted" => {
                let stack = start().await?;
                sleep(time).await;
                drop(stack);
            }
            "thread-asleep" => {
                let stack = start().await?;
                println!("asleep");
                std::thread::sleep(time);
                drop(stack);
            }
            _ => return Err(format!("{why:?}: no such reason").into()),
        }
        println!("awake");
        Ok(())
    })
}

async fn sleep(time: Duration) {
    println!("asleep");
    mkernel::sleep(time).await;
}

async fn start() -> Result<Stack, Box<dyn std::error::Error>> {
    let config = Config::default().address("10.0.0.2/24".parse()?);
    let stack = net::start(mkernel::net!("service")?, config)?;
    // The stack has read what there is, and waits.
    mkernel::sleep(Duration::from_millis(50)).await;
    Ok(stack)
}
