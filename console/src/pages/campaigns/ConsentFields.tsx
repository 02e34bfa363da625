import { Select } from '@mantine/core';
import './campaigns.css';

export type Basis = 'consent' | 'legitimate-interest' | 'service';

interface Value {
  readonly basis: Basis | '';
  readonly purpose: string;
}

interface ConsentFieldsProps {
  readonly value: Value;
  readonly purposes: readonly string[];
  readonly onChange: (change: Partial<Value>) => void;
}

/** The basis on which people are contacted. */
export function ConsentFields({ value, purposes, onChange }: ConsentFieldsProps) {
  return (
    <div className="q-form">
      <Select
        label="Basis"
        placeholder="Choose one"
        data={[
          { value: 'consent', label: 'Consent: it was given' },
          { value: 'legitimate-interest', label: 'Legitimate interest: not refused' },
          { value: 'service', label: 'Service: belongs to something ordered' },
        ]}
        value={value.basis || null}
        onChange={(basis) => { onChange({ basis: (basis ?? '') as Basis | '' }); }}
      />
      {value.basis !== 'service' && (
        <Select label="Purpose" searchable data={[...purposes]} value={value.purpose || null} onChange={(purpose) => { onChange({ purpose: purpose ?? '' }); }} />
      )}
    </div>
  );
}
