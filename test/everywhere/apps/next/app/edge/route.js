import { run } from '../../../train/app.js';

export const runtime = 'edge';

export async function GET() {
  return Response.json(await run());
}
