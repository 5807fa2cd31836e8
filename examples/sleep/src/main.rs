//! One promise says "Hello"; a second later the main task says "World".
use std::time::Duration;

fn main() {
    mkernel::run(async {
        let hello = mkernel::spawn(async { println!("Hello") });
        mkernel::sleep(Duration::from_secs(1)).await;
        println!("World");
        hello
            .await
            .expect("the task neither panics nor is cancelled");
    })
}
