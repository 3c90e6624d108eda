"""Postgres's settings for a laptop with two cores. They go on the command line, so no file in the cluster can drift."""

_LAPTOP = {
    "listen_addresses": "127.0.0.1",
    # No Unix socket: one URL serves every client, and there is no folder whose path may be too long or left behind.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",  # an index over vectors is built several times faster while its graph fits
    "max_parallel_workers_per_gather": "1",
    "max_parallel_maintenance_workers": "1",
    # The default keeps parallel index builds in /dev/shm, which containers cap at 64 MB.
    "dynamic_shared_memory_type": "mmap",
    "random_page_cost": "1.1",
    "jit": "off",
    # Nobody replicates or archives this server: bulk loads may skip the log where they create their table.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

# For tests: a crash of Postgres may cost the last second's commits, a crash of the machine the whole cluster.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def settings(port: int, *, durable: bool) -> list[str]:
    """Spell the settings as arguments."""
    chosen = {"port": str(port), **_LAPTOP, **({} if durable else _NOT_DURABLE)}
    return [argument for name, value in chosen.items() for argument in ("-c", f"{name}={value}")]
