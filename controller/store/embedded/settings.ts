/**
 * The embedded server's settings, given on its command line at each start, so that they follow our version and not
 * the folder's. Small: about 28 MB at rest, for one machine. `fsync` and `synchronous_commit` stay on.
 */
export function serverSettings(major: number, socketDirectory: string): Readonly<Record<string, string>> {
  return {
    listen_addresses: '', // no TCP: the socket's folder is the wall
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: '0700',
    port: '5432',
    max_connections: '100',
    superuser_reserved_connections: '3',
    // Of which only what is used is there. With 16 MB, 8,000 events in a row found the WAL buffers (a 32nd of it) full 63
    // times, and each of those statements waited for the disk; with 64 MB none did.
    shared_buffers: '64MB',
    work_mem: '4MB',
    maintenance_work_mem: '32MB',
    max_wal_size: '256MB',
    min_wal_size: '32MB',
    // No replicas: WAL for crash recovery alone.
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_replication_slots: '0',
    max_worker_processes: '2',
    max_parallel_workers: '0',
    max_parallel_workers_per_gather: '0',
    autovacuum_max_workers: '1',
    autovacuum_naptime: '60s',
    jit: 'off', // compiling costs more than our statements run
    huge_pages: 'off',
    // A statement whose client was killed ends, and with it the locks it holds.
    client_connection_check_interval: '2s',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    log_min_messages: 'warning',
    log_statement: 'none',
    cluster_name: 'fibric',
    // PostgreSQL 18 would start three processes for asynchronous reads.
    ...(major >= 18 ? { io_method: 'sync' } : {}),
  }
}

/**
 * The socket's folder is 0700, so whoever reaches it could read the data itself: the two administrative logins need
 * no password. The application logins do, here as everywhere: one code path.
 */
export const hostBasedAuthentication = `local all postgres trust
local all fibric trust
local all all scram-sha-256
`
