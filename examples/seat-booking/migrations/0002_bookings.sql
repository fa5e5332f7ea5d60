CREATE TABLE booking (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  performance_id INT NOT NULL,
  customer VARCHAR(50) NOT NULL,
  KEY by_customer (customer),
  FOREIGN KEY (performance_id) REFERENCES performance (id)
);

ALTER TABLE seat ADD KEY by_booking (booking_id);
