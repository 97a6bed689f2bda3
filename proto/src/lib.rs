//! etcd's v3 gRPC interface as Rust types, and gRPC's own health check: generated from the .proto files beside this crate, never edited.
//!
//! Byte strings are [`bytes::Bytes`]: a key of a decoded message is a part of the buffer that the message came in. The feature `server` adds the
//! traits that a server implements; what it leaves out answers *Unimplemented*. The feature `client` adds clients with connections of tonic's.
//! Without either there are only messages. Where the files come from: `proto/ORIGIN.md`.

/// Declares a module of generated code. Its texts are etcd's and gRPC's, so our rules for texts and style do not hold there.
macro_rules! generated {
    ($(#[doc = $doc:literal])* $name:ident, $package:literal) => {
        $(#[doc = $doc])*
        #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::use_self, rustdoc::all, reason = "generated")]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
        }
    };
}

generated! {
    /// Requests, answers and services of etcd.
    etcdserverpb, "etcdserverpb"
}
generated! {
    /// Keys with their values, and events of watches.
    mvccpb, "mvccpb"
}
generated! {
    /// Users and roles.
    authpb, "authpb"
}
generated! {
    /// gRPC's health check, as proxies and orchestrators ask it.
    health, "grpc.health.v1"
}
