use larder::invalidates;

struct Users;

impl Users {
    fn user(&self, id: u64) -> u64 {
        id
    }

    #[invalidates(self.user(id = id))]
    fn rename(&self, id: u64) {
        self.user(id);
    }
}

fn main() {}
