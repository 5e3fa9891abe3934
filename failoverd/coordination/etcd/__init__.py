"""etcd, by the JSON gateway of its members (etcd's own API reference, `api/etcdserverpb/rpc.proto`, version 3.4 on)."""
