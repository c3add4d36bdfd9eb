// Bodies as text: what cannot be seen is written out, as package visible does on the Go side. Line ends and tabs stay.

const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\ufffd]/gu;

const controls = ('NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI ' +
  'DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US').split(' ');

export function visible(s: string): string {
  return s.replace(hidden, (c) => {
    const code = c.codePointAt(0)!;
    if (c === '\n' || c === '\t') return c;
    if (code < 0x20) return `⟨${controls[code]}⟩`;
    if (code === 0x7f) return '⟨DEL⟩';
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

// isText tells whether bytes read like text: valid UTF-8 (but for a character that the end cuts) with few controls.
export function isText(b: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(b, { stream: true });
  } catch {
    return false;
  }
  let controls = 0;
  for (const c of b) if (c < 0x20 && c !== 9 && c !== 10 && c !== 13) controls++;
  return controls * 20 <= b.length;
}

export function asText(b: Uint8Array): string {
  return visible(new TextDecoder().decode(b)).replace(/⟨CR⟩\n/g, '\n');
}

export function asHex(b: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < b.length; i += 16) {
    const row = b.subarray(i, i + 16);
    const hex = Array.from(row, (c, j) => c.toString(16).padStart(2, '0') + (j === 7 ? ' ' : '')).join(' ');
    const ascii = Array.from(row, (c) => (c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : '·')).join('');
    lines.push(`${i.toString(16).padStart(6, '0')}  ${hex.padEnd(49)}  ${ascii}`);
  }
  return lines.join('\n');
}
