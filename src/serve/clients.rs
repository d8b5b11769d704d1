//! The table of clients. Whoever works with one takes it out and puts it back, so that meanwhile it can
//! look at the others.

use super::client::Client;

/// All connections, each at a place of its own.
#[derive(Debug, Default)]
pub(super) struct Clients {
    places: Vec<Option<Box<Client>>>,
    free: Vec<usize>,
    /// How many there are, those taken out too.
    len: usize,
    /// How many there were ever: the id of the newest.
    count: u64,
}

impl Clients {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds the client that `make` makes of its id and place.
    pub(super) fn insert(&mut self, make: impl FnOnce((u64, usize)) -> Client) -> usize {
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.count += 1;
        self.len += 1;
        let client = Box::new(make((self.count, at)));
        self.put_back(client);
        at
    }

    /// A look at one.
    pub(super) fn get(&self, at: usize) -> Option<&Client> {
        self.places.get(at)?.as_deref()
    }

    /// One, to change it in place.
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Client> {
        self.places.get_mut(at)?.as_deref_mut()
    }

    /// Takes one out. It keeps its place.
    pub(super) fn take(&mut self, at: usize) -> Option<Box<Client>> {
        self.places.get_mut(at)?.take()
    }

    /// Puts it back.
    pub(super) fn put_back(&mut self, client: Box<Client>) {
        let at = client.at;
        if let Some(place) = self.places.get_mut(at) {
            *place = Some(client);
        }
    }

    /// One that was taken out is gone for good.
    pub(super) fn remove(&mut self, client: Box<Client>) {
        self.free.push(client.at);
        self.len = self.len.saturating_sub(1);
    }

    /// Those that are not taken out, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().filter_map(Option::as_deref)
    }

    /// The same, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.places.iter_mut().filter_map(Option::as_deref_mut)
    }
}
