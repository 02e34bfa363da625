import { Button, Checkbox, FileInput, Group, Modal, NativeSelect, Progress, SegmentedControl, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconFile } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { uploadImport, type ImportKind } from '../../api/imports';
import { asProblem, Problem } from '../../api/problem';
import type { ImportJob } from '../../api/types';
import { percent } from '../../format/number';
import { ProblemPanel } from '../../parts/ProblemPanel';
import { guessRows, mappingFindings, mappingText, rowProblems, type MappingRow } from './mapping';
import { MappingRows } from './MappingRows';
import { formatOf, previewBytes, previewCsv, previewNdjson, type FileFormat, type Preview } from './preview';
import { rememberedMapping, rememberMapping } from './remembered';

const kinds: readonly { readonly value: ImportKind; readonly label: string; readonly note: string }[] = [
  { value: 'profiles', label: 'People', note: 'One row is a person with their traits.' },
  { value: 'events', label: 'Events', note: 'One row is something that a person did.' },
  { value: 'items', label: 'Items', note: 'One row is an item of the catalogue.' },
];

async function readPreview(file: File, format: FileFormat): Promise<Preview | null> {
  if (format !== 'csv' && format !== 'ndjson') return null;
  const text = await file.slice(0, previewBytes).text();
  const more = file.size > previewBytes;
  return format === 'csv' ? previewCsv(text, file.name, more) : previewNdjson(text, more);
}

interface UploadFormProps {
  /** The import to go on with. */
  readonly resumed?: ImportJob;
  readonly onClose: () => void;
}

/** Sends a file: what it holds, what its columns become, and off it goes. */
export function UploadForm({ resumed, onClose }: UploadFormProps) {
  const queries = useQueryClient();
  const kept = resumed === undefined ? '' : rememberedMapping(resumed.id);
  const [kind, setKind] = useState<ImportKind>(kinds.find(({ value }) => value === resumed?.kind)?.value ?? 'profiles');
  const [file, setFile] = useState<File | null>(null);
  const [format, setFormat] = useState<FileFormat>('');
  const [preview, setPreview] = useState<Preview | null>(null);
  const [rows, setRows] = useState<readonly MappingRow[]>([]);
  const [asText, setAsText] = useState(kept !== '');
  const [text, setText] = useState(kept);
  const [restart, setRestart] = useState(false);
  const [sent, setSent] = useState(0);
  const stop = useRef<AbortController>(null);
  const mapping = asText ? text : mappingText(rows, format === 'csv' ? (preview?.delimiter ?? '') : '');
  const send = useMutation({
    mutationFn: async (chosen: File) => {
      const control = new AbortController();
      stop.current = control;
      setSent(0);
      const job = await uploadImport({ kind, file: chosen, mapping, format, restart }, setSent, control.signal);
      rememberMapping(job.id, mapping);
      return job;
    },
    onSuccess: async (job) => {
      await queries.invalidateQueries({ queryKey: ['imports'] });
      if (job.status === 'complete' || (resumed !== undefined && resumed.id !== job.id)) return;
      onClose();
    },
  });
  const choose = async (chosen: File | null) => {
    send.reset();
    setFile(chosen);
    if (chosen === null) return;
    const found = formatOf(chosen.name);
    setFormat(found);
    await look(chosen, found, kind);
  };
  const look = async (chosen: File, found: FileFormat, of: ImportKind) => {
    const seen = await readPreview(chosen, found);
    setPreview(seen);
    setRows(guessRows(of, seen ?? { columns: [], rows: [], delimiter: '' }));
  };
  const problem = send.isError ? asProblem(send.error) : null;
  const { byTarget, rest } = mappingFindings(problem?.findings ?? []);
  const problems = rowProblems(kind, rows);
  const said = rows.map(({ target }, index) => problems[index] || (byTarget.get(target.trim()) ?? ''));
  const unplaced = [...rest, ...[...byTarget].filter(([target]) => asText || !rows.some((row) => row.target.trim() === target)).map(([location, message]) => ({ location, message }))];
  const ready = file !== null && format !== '' && (asText ? text.trim() !== '' : rows.some(({ target }) => target !== '') && problems.every((each) => each === ''));
  if (send.isSuccess) {
    return (
      <Done
        job={send.data}
        resumed={resumed}
        onAgain={() => {
          setRestart(true);
          send.reset();
        }}
        onClose={onClose}
      />
    );
  }
  return (
    <Modal
      opened
      size="xl"
      title={resumed === undefined ? 'Import a file' : `Go on with ${resumed.name}`}
      closeOnClickOutside={!send.isPending}
      onClose={() => {
        stop.current?.abort();
        onClose();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (file !== null && ready) send.mutate(file);
        }}
      >
        <Stack gap="md">
          {resumed !== undefined && (
            <Text size="sm" c="dimmed">
              Choose the same file again{kept === '' ? ', and give the same mapping as before' : '; the mapping is that of before'}. The import goes on behind the rows that are done.
            </Text>
          )}
          {problem !== null && (problem.findings.length === 0 || unplaced.length > 0) && <ProblemPanel error={new Problem(problem.status, problem.title, problem.detail, unplaced)} />}
          <div>
            <SegmentedControl
              aria-label="What the file holds"
              data={kinds.map(({ value, label }) => ({ value, label }))}
              value={kind}
              onChange={(value) => {
                const chosen = kinds.find((each) => each.value === value)?.value ?? 'profiles';
                setKind(chosen);
                send.reset();
                if (file !== null) setRows(guessRows(chosen, preview ?? { columns: [], rows: [], delimiter: '' }));
              }}
            />
            <Text size="sm" c="dimmed" mt={4}>
              {kinds.find(({ value }) => value === kind)?.note}
            </Text>
          </div>
          <Group gap="sm" align="flex-start" grow preventGrowOverflow={false}>
            <FileInput
              label="File"
              description="CSV with a header, NDJSON or Parquet, up to 4 GiB"
              placeholder="Choose a file"
              leftSection={<IconFile size={15} />}
              accept=".csv,.tsv,.txt,.ndjson,.jsonl,.json,.parquet"
              clearable
              value={file}
              onChange={(chosen) => void choose(chosen)}
            />
            {file !== null && (
              <NativeSelect
                label="Format"
                description={formatOf(file.name) === '' ? 'Its name does not tell' : 'As its name tells'}
                data={[
                  { value: '', label: 'choose…' },
                  { value: 'csv', label: 'CSV' },
                  { value: 'ndjson', label: 'NDJSON' },
                  { value: 'parquet', label: 'Parquet' },
                ]}
                value={format}
                onChange={(event) => {
                  const chosen = (['csv', 'ndjson', 'parquet'] as const).find((each) => each === event.currentTarget.value) ?? '';
                  setFormat(chosen);
                  void look(file, chosen, kind);
                }}
              />
            )}
          </Group>
          {file !== null && preview !== null && <PreviewTable preview={preview} />}
          {file !== null && format === 'parquet' && (
            <Text size="sm" c="dimmed">
              The browser cannot look into Parquet: name its columns yourself; a path with dots reaches into groups.
            </Text>
          )}
          {file !== null && (
            <div>
              <Group justify="space-between" mb={8}>
                <Text fw={550}>What becomes what</Text>
                <SegmentedControl
                  size="xs"
                  aria-label="How the mapping is edited"
                  data={[
                    { value: 'form', label: 'Form' },
                    { value: 'text', label: 'Text' },
                  ]}
                  value={asText ? 'text' : 'form'}
                  onChange={(value) => {
                    if (value === 'text' && text === '') setText(mapping);
                    setAsText(value === 'text');
                  }}
                />
              </Group>
              {asText ? (
                <Textarea
                  aria-label="Mapping"
                  description="YAML or JSON. Texts can do more: default, transform, zone, encoding."
                  autosize
                  minRows={8}
                  maxRows={20}
                  spellCheck={false}
                  styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.78125rem' } }}
                  value={text}
                  onChange={(event) => {
                    setText(event.currentTarget.value);
                  }}
                />
              ) : (
                <MappingRows kind={kind} preview={preview} rows={rows} problems={said} onChange={setRows} />
              )}
            </div>
          )}
          {restart && (
            <Checkbox
              label="Send every row again, also those that are imported"
              checked={restart}
              onChange={(event) => {
                setRestart(event.currentTarget.checked);
              }}
            />
          )}
          {send.isPending && (
            <div role="status">
              <Progress value={sent * 100} aria-label="How much of the file is sent" />
              <Text size="sm" c="dimmed" mt={4}>
                {sent < 1 ? `${percent(sent, 0)} of the file is sent. Closing stops it.` : 'Sent; the service looks at it.'}
              </Text>
            </div>
          )}
          <Group justify="flex-end" gap="xs">
            <Button
              variant="default"
              onClick={() => {
                stop.current?.abort();
                onClose();
              }}
            >
              Cancel
            </Button>
            <Button type="submit" disabled={!ready} loading={send.isPending}>
              {resumed === undefined ? 'Start the import' : 'Go on'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface DoneProps {
  readonly job: ImportJob;
  readonly resumed: ImportJob | undefined;
  readonly onAgain: () => void;
  readonly onClose: () => void;
}

/** What is said when the answer is not what was hoped for. */
function Done({ job, resumed, onAgain, onClose }: DoneProps) {
  const complete = job.status === 'complete';
  return (
    <Modal opened onClose={onClose} title={complete ? 'Imported already' : 'A new import has begun'}>
      <Text mb="md">
        {complete
          ? `${job.name} was imported with this mapping before, to its end.`
          : `The file or the mapping differs from that of ${resumed?.name ?? 'before'}, so the import begins at the first row. Rows with a messageId of their own are stored once all the same.`}
      </Text>
      <Group justify="flex-end" gap="xs">
        {complete && (
          <Button variant="default" onClick={onAgain}>
            Send it again…
          </Button>
        )}
        <Button onClick={onClose} data-autofocus>
          Close
        </Button>
      </Group>
    </Modal>
  );
}

function PreviewTable({ preview }: { readonly preview: Preview }) {
  if (preview.columns.length === 0) {
    return (
      <Text size="sm" role="alert">
        The beginning of the file has no rows that can be read.
      </Text>
    );
  }
  return (
    <div className="q-preview" tabIndex={0} role="region" aria-label="First rows of the file">
      <table>
        <thead>
          <tr>
            {preview.columns.map((column, index) => (
              <th key={index} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {preview.rows.map((row, index) => (
            <tr key={index}>
              {preview.columns.map((_, at) => (
                <td key={at}>{row[at] ?? ''}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
