import { Button, Drawer, Group, Stack, Table } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconCircleCheck, IconDownload } from '@tabler/icons-react';
import { fetchProof, proofQuery } from '../../api/privacy';
import type { Erasure, ErasureProof } from '../../api/types';
import { saveBlob } from '../../files/saveBlob';
import { count } from '../../format/number';
import { duration } from '../../format/time';
import { Rows, type Column } from '../../parts/List';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { SkeletonBlock } from '../../parts/Skeletons';
import { Tag } from '../../parts/Tag';
import { Terms } from '../../parts/Terms';
import { foundNothing, mentions, modeWords } from './words';

const searchColumns: readonly Column[] = [{ label: 'Where' }, { label: 'What' }, { label: 'Rows left', number: true }, { label: 'Mentions by others', number: true }];

/** What an erasure removed and what the search found afterwards, and the document that says so. */
export function ProofDrawer({ erasure, onClose }: { readonly erasure: Erasure; readonly onClose: () => void }) {
  const query = useQuery(proofQuery(erasure.id));
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title="Proof of an erasure">
      <Loaded query={query} skeleton={<SkeletonBlock height={360} />}>
        {(proof) => <ProofView erasure={erasure} proof={proof} />}
      </Loaded>
    </Drawer>
  );
}

function ProofView({ erasure, proof }: { readonly erasure: Erasure; readonly proof: ErasureProof }) {
  const clean = foundNothing(proof);
  const left = mentions(proof);
  const fetched = useMutation({
    mutationFn: () => fetchProof(erasure.id),
    onSuccess: ({ bytes }) => {
      saveBlob(bytes, `erasure-${erasure.id}.json`);
    },
  });
  const removed = Object.entries(proof.removed).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Stack gap="md">
      <div>
        {clean ? (
          <Tag tone="better">nothing of the person was found</Tag>
        ) : (
          <Tag tone="worse">rows of the person were found</Tag>
        )}
        {left > 0 && <p className="q-list-note">{count(left)} rows of others quote an identifier inside a text. They are counted and left.</p>}
      </div>
      <Terms
        entries={[
          ['Asked for', <Moment key="at" at={proof.requestedAt} as="second" />],
          ['Done', <Moment key="done" at={proof.finishedAt} as="second" />],
          ['It took', duration((Date.parse(proof.finishedAt) - Date.parse(proof.requestedAt)) / 1000)],
          ['By', proof.requestedBy],
          ['Mode', modeWords[erasure.mode]],
          ['Reason', proof.reason === '' ? 'none given' : proof.reason],
          ['Profiles', count(proof.profiles)],
          ['Refused identifiers', count(proof.identifiersSuppressed)],
          [
            'SHA-256',
            <code key="sum" className="q-mono q-proof-sum">
              {erasure.proofSha256}
            </code>,
          ],
        ]}
      />
      <Group gap="sm">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload size={14} />}
          loading={fetched.isPending}
          onClick={() => {
            fetched.mutate();
          }}
        >
          Save the document
        </Button>
        {fetched.data !== undefined && <Checked same={fetched.data.sha256 === erasure.proofSha256} computed={fetched.data.sha256 !== ''} />}
      </Group>
      {fetched.isError && <ProblemPanel error={fetched.error} />}
      {removed.length > 0 && (
        <div>
          <h3 className="q-panel-title">Removed</h3>
          <Terms entries={removed.map(([what, rows]) => [what, count(rows)])} />
        </div>
      )}
      <div>
        <h3 className="q-panel-title">Searched afterwards</h3>
        <Rows columns={searchColumns} minWidth={420}>
          {(proof.checks ?? []).map((check) => (
            <Table.Tr key={`${check.store} ${check.what}`}>
              <Table.Td className="q-muted">{check.store}</Table.Td>
              <Table.Td className="q-mono">{check.what}</Table.Td>
              <Table.Td className="q-number">{check.rows === 0 ? '0' : <Tag tone="worse">{count(check.rows)}</Tag>}</Table.Td>
              <Table.Td className="q-number">{count(check.mentions)}</Table.Td>
            </Table.Tr>
          ))}
        </Rows>
      </div>
      {(proof.notes ?? []).length > 0 && (
        <div>
          <h3 className="q-panel-title">What is not reached</h3>
          <ul className="q-problem-findings">
            {(proof.notes ?? []).map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </div>
      )}
    </Stack>
  );
}

function Checked({ same, computed }: { readonly same: boolean; readonly computed: boolean }) {
  if (!computed) return <span className="q-muted">This browser computes checksums on secure addresses only.</span>;
  if (!same) return <Tag tone="worse">its checksum is another one</Tag>;
  return (
    <Tag tone="better">
      <IconCircleCheck size={12} aria-hidden="true" /> its checksum agrees
    </Tag>
  );
}
