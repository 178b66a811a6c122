import { digestBytes } from '../../controller/domain/digest.ts'
import type { Migration } from '../../controller/store/migrate.ts'

/** One table as Fibric makes its tables: small enough to test the store's own machinery on. */
export const exampleMigrations: readonly Migration[] = [
  exampleMigration(
    1,
    'things',
    `create table fibric.things (
       tenant_id text not null,
       id text not null,
       amount bigint,
       primary key (tenant_id, id)
     );
     alter table fibric.things enable row level security;
     alter table fibric.things force row level security;
     create policy app on fibric.things to fibric_app
       using (tenant_id = nullif(current_setting('fibric.tenant_id', true), ''));
     create policy worker on fibric.things to fibric_worker
       using (tenant_id = any(string_to_array(nullif(current_setting('fibric.tenant_ids', true), ''), ',')));
     grant select, insert, update, delete on fibric.things to fibric_app, fibric_worker;`,
  ),
]

export function exampleMigration(number: number, title: string, statements: string): Migration {
  const sql = `-- workers: survive\n${statements}\n`
  const name = `${String(number).padStart(4, '0')}-${title}`
  return { number, name, workers: 'survive', sql, checksum: digestBytes(sql) }
}
