//! The response id, with which an ApplicationMaster and the ResourceManager number their heartbeats.

/// The number of the last response. Each heartbeat carries it, and the ResourceManager of Hadoop 3 refuses a
/// heartbeat with another number, except the one before: to that it repeats its last response.
#[derive(Debug, Clone, Default)]
pub struct ResponseId(i32);

impl ResponseId {
    /// The number that the next heartbeat carries.
    pub fn get(&self) -> i32 {
        self.0
    }

    /// A registration is about to be sent; the count begins with it. This is no matter of its answer: that
    /// can be lost although the ResourceManager has taken the registration, and then the next call is told
    /// that the attempt is registered already.
    pub fn registering(&mut self) {
        self.0 = 0;
    }

    /// A heartbeat was answered with this number.
    pub fn answered(&mut self, number: i32) {
        self.0 = number;
    }
}
