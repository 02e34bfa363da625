import { Button, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import './lifecycle.css';

interface DayPickerProps {
  /** Empty for the last computation. */
  readonly day: string;
  readonly onChange: (day: string) => void;
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function valid(day: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day)) && day >= '1971-01-01' && day <= today();
}

/** Chooses the day as of whose end figures are; the last computation unless one is chosen. */
export function DayPicker({ day, onChange }: DayPickerProps) {
  // A day that is half typed asks for nothing.
  const [text, setText] = useState(day);
  useEffect(() => {
    setText(day);
  }, [day]);
  return (
    <div className="q-day">
      <TextInput
        type="date"
        size="xs"
        aria-label="As of the end of day"
        max={today()}
        value={text}
        error={text !== '' && !valid(text)}
        onChange={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          if (next === '' || valid(next)) onChange(next);
        }}
      />
      {day !== '' && (
        <Button
          size="xs"
          variant="default"
          onClick={() => {
            onChange('');
          }}
        >
          Latest
        </Button>
      )}
    </div>
  );
}
