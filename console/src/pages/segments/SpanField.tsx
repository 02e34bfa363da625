import { NativeSelect, NumberInput } from '@mantine/core';

const units = [
  { value: 'm', label: 'minutes' },
  { value: 'h', label: 'hours' },
  { value: 'd', label: 'days' },
  { value: 'w', label: 'weeks' },
];

interface SpanFieldProps {
  readonly label: string;
  /** Such as 30d; empty while there is none. */
  readonly value: string;
  readonly onChange: (span: string) => void;
}

/** A span of time as a number and a unit. */
export function SpanField({ label, value, onChange }: SpanFieldProps) {
  const [, number = '', unit = 'd'] = /^(\d+)([mhdw])$/.exec(value) ?? [];
  return (
    <span className="q-rule-span">
      <NumberInput
        aria-label={label}
        w={72}
        min={1}
        allowDecimal={false}
        allowNegative={false}
        hideControls
        value={number === '' ? '' : Number(number)}
        onChange={(next) => {
          onChange(next === '' ? '' : `${String(next)}${unit}`);
        }}
      />
      <NativeSelect
        aria-label={`${label}: unit`}
        value={unit}
        data={units}
        onChange={(event) => {
          onChange(`${number === '' ? '1' : number}${event.currentTarget.value}`);
        }}
      />
    </span>
  );
}
