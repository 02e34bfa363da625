import { useQuery } from '@tanstack/react-query';
import { NavLink } from 'react-router';
import { may } from '../api/may';
import { sessionQuery } from '../api/session';
import { Mark } from './Mark';
import { groups } from './places';
import { PipelineHealth } from './PipelineHealth';
import './navigation.css';

export function Navigation({ onNavigate }: { readonly onNavigate: () => void }) {
  const session = useQuery(sessionQuery);
  return (
    <div className="q-nav">
      <NavLink to="/" className="q-nav-brand" onClick={onNavigate}>
        <Mark />
        <span>Quintet</span>
      </NavLink>
      <nav aria-label="Main" className="q-nav-places">
        {groups.map(({ heading, places }) => (
          <div key={places[0]?.to} className="q-nav-group" role="group" {...(heading === '' ? {} : { 'aria-label': heading })}>
            {heading !== '' && (
              <span className="q-nav-heading" aria-hidden="true">
                {heading}
              </span>
            )}
            {places
              .filter(({ needs }) => needs === undefined || may(session.data, needs))
              .map(({ to, label, icon: Icon }) => (
                <NavLink key={to} to={to} end={to === '/'} className="q-nav-place" onClick={onNavigate}>
                  <Icon size={17} stroke={1.7} aria-hidden="true" />
                  {label}
                </NavLink>
              ))}
          </div>
        ))}
      </nav>
      <PipelineHealth />
    </div>
  );
}
