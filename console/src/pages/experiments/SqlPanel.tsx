import { Collapse, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChevronRight } from '@tabler/icons-react';
import { CopyButton } from '../../parts/CopyButton';
import './sql.css';

/** The queries behind the figures, so that anybody can compute them again. */
export function SqlPanel({ sql }: { readonly sql: readonly string[] }) {
  const [opened, { toggle }] = useDisclosure(false);
  if (sql.length === 0) return null;
  return (
    <section className="q-panel">
      <div className="q-sql-head">
        <UnstyledButton className="q-sql-toggle" aria-expanded={opened} onClick={toggle}>
          <IconChevronRight size={15} aria-hidden="true" className={opened ? 'q-sql-open' : 'q-sql-closed'} />
          SQL behind the figures
          <span className="q-muted">
            {sql.length} {sql.length === 1 ? 'query' : 'queries'}
          </span>
        </UnstyledButton>
        <CopyButton label="Copy SQL" text={() => sql.join(';\n\n')} />
      </div>
      <Collapse expanded={opened}>
        {sql.map((query) => (
          <pre key={query} className="q-sql" tabIndex={0}>
            {query.trim()}
          </pre>
        ))}
      </Collapse>
    </section>
  );
}
