import { Button, JsonInput, NumberInput, TagsInput, Text } from '@mantine/core';
import { free, type Bound } from './draft';

interface Props {
  readonly bounds: readonly Bound[];
  readonly error: string | undefined;
  /** What is wrong with texts of JSON, by field. */
  readonly wrong: Readonly<Record<string, string>>;
  readonly onChange: (bounds: readonly Bound[]) => void;
}

const limits = [
  { name: 'least', label: 'Together at least' },
  { name: 'most', label: 'Together at most' },
  { name: 'each', label: 'Each at least' },
] as const;

/** Bounds of how probable actions are, one after the other; an action belongs to the first that has it. */
export function ExposureEditor({ bounds, error, wrong, onChange }: Props) {
  const change = (at: number, with_: Partial<Bound>) => {
    onChange(bounds.map((each, i) => (i === at ? { ...each, ...with_ } : each)));
  };
  return (
    <>
      {bounds.map((bound, i) => (
        <fieldset key={i} className="q-form" aria-label={`Bound ${(i + 1).toString()}`}>
          <TagsInput label="Actions" description="offer/channel/creative, with * for any" placeholder="spring/*/*" value={[...bound.actions]} onChange={(actions) => { change(i, { actions }); }} />
          {limits.map(({ name, label }) => (
            <NumberInput key={name} label={label} min={0} max={1} step={0.05} value={bound[name]} onChange={(value) => { change(i, { [name]: value === '' ? '' : Number(value) }); }} />
          ))}
          <JsonInput label="For whom" description="Everybody when empty" autosize minRows={1} value={bound.when} error={wrong[`exposure[${i.toString()}].when`]} onChange={(when) => { change(i, { when }); }} />
          <Button size="xs" variant="default" onClick={() => { onChange(bounds.filter((_, at) => at !== i)); }}>
            Remove
          </Button>
        </fieldset>
      ))}
      {error !== undefined && (
        <Text size="sm" role="alert">
          {error}
        </Text>
      )}
      <Button size="xs" variant="default" onClick={() => { onChange([...bounds, free]); }}>
        Add a bound
      </Button>
    </>
  );
}
