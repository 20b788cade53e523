//! TODO(memcached)
