//! What the tests of the gateway share.

pub mod certs;
pub mod dns;
pub mod fill;
pub mod fuzz;
pub mod gateway;
pub mod guests;
pub mod hostile;
pub mod load;
pub mod measure;
pub mod proxy;
pub mod raw;
pub mod receiver;
pub mod sender;
pub mod sink;
pub mod soak;
pub mod tls_receiver;
pub mod wait;
pub mod wire;
