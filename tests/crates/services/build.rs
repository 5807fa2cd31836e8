//! The service that `src/grpc.rs` speaks, from a description in Rust: no `protoc` is needed.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::grpc::Number")
            .output_type("crate::grpc::Number")
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Numbers")
        .package("numbers")
        .method(method("square", "Square").build())
        .method(method("up_to", "UpTo").server_streaming().build())
        .method(method("total", "Total").client_streaming().build())
        .method(
            method("sums", "Sums")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().compile(&[service]);
    println!("cargo::rerun-if-changed=build.rs");
}
