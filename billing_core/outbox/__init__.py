"""What must leave the building: written with the change, delivered afterwards by a job."""
