// `POST /api/v1/doctor`: looks at the gateway and what is around it, now. Changes nothing.
// `GET /api/v1/topics`: the advice in plain words, for the page.
import type { FastifyInstance } from 'fastify';
import { TOPICS } from '../../core/advice/topics.ts';
import type { Doctor } from '../doctor.ts';

export function addDoctorRoutes(api: FastifyInstance, doctor: Doctor): void {
  api.post('/api/v1/doctor', () => doctor.examine());
  api.get('/api/v1/topics', () => TOPICS);
}
