import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import { places } from './places';

const sequenceMs = 1_200;

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** Keys that work everywhere but in a field: / searches, g and a letter goes to a place, ? explains. */
export function useShortcuts(onSearch: () => void, onHelp: () => void): void {
  const navigate = useNavigate();
  const pressedAt = useRef(0);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        onSearch();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (event.key === '/') {
        event.preventDefault();
        onSearch();
      } else if (event.key === '?') {
        onHelp();
      } else if (event.key === 'g') {
        pressedAt.current = event.timeStamp;
      } else {
        const place = places.find((candidate) => candidate.key === event.key);
        if (place !== undefined && event.timeStamp - pressedAt.current < sequenceMs) void navigate(place.to);
        pressedAt.current = 0;
      }
    };
    window.addEventListener('keydown', listen);
    return () => {
      window.removeEventListener('keydown', listen);
    };
  }, [navigate, onSearch, onHelp]);
}
